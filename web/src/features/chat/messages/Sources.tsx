import { FileText } from "lucide-react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Source } from "../stream/events";
import { useConversation } from "./context";
import styles from "./Messages.module.css";

/** What an answer stands on, a card for each place that it cites. */
export function Sources({ answerId, sources }: { answerId: string; sources: readonly Source[] }) {
  const { t } = useTranslation("chat");
  const inOrder = [...sources].sort((one, other) => one.number - other.number);
  return (
    <section className={styles["sources"]}>
      <h2>{t("source.title", { count: sources.length })}</h2>
      <ul>
        {inOrder.map((source) => (
          <li key={source.number}>
            <Card source={source} answerId={answerId} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card({ source, answerId }: { source: Source; answerId: string }) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const { looked, look } = useConversation();
  const isLooked = looked?.kind === "source" && looked.answer === answerId && looked.number === source.number;
  if (source.deleted) {
    return (
      <div className={styles["card"]} data-deleted="">
        <span className={styles["number"]}>{number(source.number)}</span>
        <span>{t("source.deleted")}</span>
      </div>
    );
  }
  const place = [
    source.page === null ? null : t("source.page", { page: number(source.page) }),
    source.heading_path.at(-1),
  ].filter((part) => part !== null && part !== undefined && part !== "");
  return (
    <button
      type="button"
      className={styles["card"]}
      aria-expanded={isLooked}
      onClick={() => look({ kind: "source", answer: answerId, number: source.number })}
    >
      <span className={styles["number"]}>{number(source.number)}</span>
      <span className={styles["cardText"]}>
        <span className={styles["cardTitle"]}>
          <FileText aria-hidden="true" />
          <span dir="auto">{source.title || source.file_name}</span>
        </span>
        {place.length > 0 && (
          <small>
            {place.map((part) => (
              <bdi key={part}>{part}</bdi>
            ))}
          </small>
        )}
        <span
          className={styles["excerpt"]}
          dir="auto"
          lang={source.language === "und" ? undefined : source.language}
        >
          {source.excerpt}
        </span>
      </span>
    </button>
  );
}
