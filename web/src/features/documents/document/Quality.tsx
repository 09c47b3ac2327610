import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Empty, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Said } from "@/components/Said";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";

import { qualityQuery } from "../api";
import shared from "../documents.module.css";
import styles from "./document.module.css";
import { Fact } from "./Overview";
import { reportOf, type Finding, type Report } from "./report";

const ICONS = { critical: <CircleAlert />, warning: <TriangleAlert />, info: <Info /> };
const PARTS = ["readable", "encoding", "original", "safe", "volume", "language"] as const;

export function Quality({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const { data, error, refetch } = useQuery(qualityQuery(id));
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner />;
  }
  if (data.score === null) {
    return <Empty title={t("quality.none")}>{t("quality.noneHint")}</Empty>;
  }
  const report = reportOf(data.report);
  return (
    <div className={shared["stack"]}>
      <Card>
        <Score score={data.score} parts={report.parts} />
      </Card>
      <Card title={t("quality.findings")}>
        {report.findings.length === 0 ? (
          <p className={styles["fine"]}>
            <CircleCheck aria-hidden />
            {t("quality.fine")}
          </p>
        ) : (
          <ul className={shared["list"]}>
            {report.findings.map((finding, at) => (
              <FindingShown key={at} id={id} finding={finding} />
            ))}
          </ul>
        )}
      </Card>
      {report.similar.length > 0 && <Similar similar={report.similar} />}
      <Card title={t("quality.counts")}>
        <Counts report={report} />
      </Card>
    </div>
  );
}

function Score({ score, parts }: { score: number; parts: Report["parts"] }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <div className={styles["score"]}>
      <div>
        <strong className={styles["big"]}>{formats.percent(score)}</strong>
        <p className={shared["small"]}>{t("quality.score")}</p>
      </div>
      <dl className={styles["parts"]}>
        {PARTS.filter((part) => parts[part] !== undefined).map((part) => (
          <div key={part}>
            <dt>{t(`quality.part.${part}`)}</dt>
            <dd>
              <meter
                min={0}
                max={1}
                low={0.5}
                high={0.8}
                optimum={1}
                value={parts[part] ?? 0}
                aria-hidden="true"
              />
              {formats.percent(parts[part] ?? 0)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function FindingShown({ id, finding }: { id: string; finding: Finding }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <li className={styles["finding"]} data-severity={finding.severity}>
      <span aria-hidden="true">{ICONS[finding.severity]}</span>
      <div>
        <p>
          <strong>{t(`quality.severity.${finding.severity}`)}</strong> <Said text={finding.message} />
        </p>
        <p className={shared["small"]}>
          <Said text={finding.what_to_do} />
        </p>
        {finding.pages.length > 0 && (
          <p className={shared["small"]}>
            {t("quality.onPages")}{" "}
            {finding.pages.map((page) => (
              <Link key={page} className={styles["pageLink"]} to={`/documents/${id}?tab=text&page=${page}`}>
                {formats.number(page)}
              </Link>
            ))}
          </p>
        )}
      </div>
    </li>
  );
}

function Similar({ similar }: { similar: Report["similar"] }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <Card title={t("quality.similar")}>
      <ul className={shared["list"]}>
        {similar.map((other) => (
          <li key={other.document_id}>
            <Link to={`/documents/${other.document_id}`} dir="auto">
              {other.title}
            </Link>{" "}
            <span className={shared["small"]}>
              {t("quality.alike", { share: formats.percent(other.similarity) })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Counts({ report }: { report: Report }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const shown = ["pages", "words", "characters", "ocr_pages", "empty_pages", "garbled_pages"] as const;
  return (
    <dl className={shared["facts"]}>
      {shown
        .filter((name) => report.counts[name] !== undefined)
        .map((name) => (
          <Fact key={name} name={t(`quality.count.${name}`)}>
            {formats.number(report.counts[name] ?? 0)}
          </Fact>
        ))}
      {Object.entries(report.languages).length > 0 && (
        <Fact name={t("column.languages")}>
          {Object.entries(report.languages)
            .map(([code, share]) => `${formats.languageName(code)} ${formats.percent(share)}`)
            .join(", ")}
        </Fact>
      )}
      {report.lix !== null && (
        <Fact name={t("quality.lix")}>
          {formats.number(report.lix)}{" "}
          <span className={shared["small"]}>{t(`quality.reads.${ease(report.lix)}`)}</span>
        </Fact>
      )}
    </dl>
  );
}

/** Björnsson 1968. */
function ease(lix: number): "easy" | "medium" | "hard" {
  return lix < 40 ? "easy" : lix < 60 ? "medium" : "hard";
}
