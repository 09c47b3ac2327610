import { useTranslation } from "react-i18next";

import type { Hit } from "./api";
import { Passage } from "./Passage";
import styles from "./search-lab.module.css";

interface Props {
  kept: readonly Hit[];
  fallen: readonly Hit[];
  forms: readonly string[];
  marked: string | null;
  onMark: (chunkId: string | null) => void;
}

/** The passages themselves; those below the threshold apart. */
export function Passages({ kept, fallen, forms, marked, onMark }: Props) {
  const { t } = useTranslation("search-lab");
  const list = (hits: readonly Hit[], isFallen: boolean) => (
    <ol className={styles["passages"]}>
      {hits.map((hit) => (
        <Passage
          key={hit.chunk_id}
          hit={hit}
          forms={forms}
          isFallen={isFallen}
          isMarked={marked === hit.chunk_id}
          onMark={onMark}
        />
      ))}
    </ol>
  );
  return (
    <>
      <section aria-label={t("passages.title")} className={styles["section"]}>
        <h2>{t("passages.title")}</h2>
        {kept.length === 0 ? <p>{t("passages.none")}</p> : list(kept, false)}
      </section>
      {fallen.length > 0 && (
        <section aria-label={t("passages.fallen")} className={styles["section"]}>
          <h2>{t("passages.fallen")}</h2>
          <p className={styles["soft"]}>{t("passages.fallenLead")}</p>
          {list(fallen, true)}
        </section>
      )}
    </>
  );
}
