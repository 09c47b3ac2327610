import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { Note } from "@/components/Notes";
import { Card } from "@/components/Page";

import type { Found, Mode } from "./api";
import { Columns } from "./Columns";
import { columnsOf, cutAt, passagesOf } from "./compare";
import type { CutWish } from "./Controls";
import { Passages } from "./Passages";
import { Timings } from "./Timings";
import { Understanding } from "./Understanding";
import styles from "./search-lab.module.css";

interface Props {
  hybrid: Found;
  dense: Found;
  keyword: Found;
  mode: Mode;
  cut: CutWish;
  reranker: string;
}

/** What a search found, and how it came to it. */
export function Findings({ hybrid, dense, keyword, mode, cut, reranker }: Props) {
  const { t } = useTranslation("search-lab");
  const [marked, setMarked] = useState<string | null>(null);
  const result = { hybrid, dense, keyword }[mode];
  const passages = useMemo(
    () => passagesOf([result, hybrid, dense, keyword]),
    [result, hybrid, dense, keyword],
  );
  const { kept, fallen } = cutAt(result.results, cut.threshold, cut.max);
  const columns = columnsOf(hybrid.explanation?.considered ?? [], passages, kept);
  const forms = [...(result.explanation?.terms ?? []), ...(keyword.explanation?.terms ?? [])].flatMap(
    (term) => term.forms,
  );
  return (
    <>
      {result.degraded.length > 0 && (
        <Note tone="warn">
          <p>{t("degraded", { what: result.degraded.join(", ") })}</p>
        </Note>
      )}
      <div className={styles["about"]}>
        <Card title={t("understanding.title")}>
          <Understanding found={result} />
        </Card>
        <Card title={t("timings.title")}>
          <Timings found={result} />
        </Card>
      </div>
      <Card title={t("columns.title")}>
        <Columns
          columns={columns}
          considered={hybrid.explanation?.considered ?? []}
          passages={passages}
          hasReranker={reranker !== "none"}
          marked={marked}
          onMark={setMarked}
          limit={cut.max}
        />
      </Card>
      <Passages kept={kept} fallen={fallen} forms={forms} marked={marked} onMark={setMarked} />
    </>
  );
}
