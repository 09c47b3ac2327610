import { ThumbsDown, ThumbsUp } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { Markdown } from "@/components/Markdown";
import { Badge } from "@/components/Notes";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import type { FeedbackItem } from "../api/feedback";
import styles from "../insights.module.css";
import { AcceptDialog, RejectDialog } from "./Decide";

const TONES = { open: "warn", accepted: "good", rejected: "neutral" } as const;

export function Item({ item }: { item: FeedbackItem }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { can } = useSession();
  const [deed, setDeed] = useState<"accept" | "reject" | null>(null);
  const question = item.question ?? t("queries.noText");
  const state = item.correction_state;
  return (
    <li className={styles["item"]}>
      <header className={styles["chips"]}>
        <Badge tone={item.rating === "up" ? "good" : "bad"}>
          {item.rating === "up" ? <ThumbsUp aria-hidden="true" /> : <ThumbsDown aria-hidden="true" />}
          {t(`filter.${item.rating}`)}
        </Badge>
        {item.reason && <Badge>{t(`reason.${item.reason}`)}</Badge>}
        {item.is_review && <Badge tone="accent">{t("feedback.review")}</Badge>}
        {!item.answered && <Badge tone="warn">{t("chart.refused")}</Badge>}
        <span className={styles["soft"]}>
          {formats.languageName(item.language)} · {formats.dateTime(item.updated_at)}
        </span>
      </header>
      <h3 dir="auto">
        {can("explain") && item.question !== null ? (
          <Link to={`/search?q=${encodeURIComponent(item.question)}`}>{question}</Link>
        ) : (
          question
        )}
      </h3>
      {item.answer !== null && (
        <details>
          <summary>{t("feedback.answer")}</summary>
          <Markdown>{item.answer}</Markdown>
        </details>
      )}
      {item.comment !== "" && <blockquote dir="auto">{item.comment}</blockquote>}
      {item.correction !== "" && (
        <div className={styles["correction"]}>
          <p className={styles["chips"]}>
            <strong>{t("feedback.correction")}</strong>
            {(state === "open" || state === "accepted" || state === "rejected") && (
              <Badge tone={TONES[state]}>{t(`filter.${state}`)}</Badge>
            )}
          </p>
          <p dir="auto">{item.correction}</p>
          {item.correction_note !== "" && (
            <p className={styles["soft"]} dir="auto">
              {item.correction_note}
            </p>
          )}
          {item.correction_document_id !== null && (
            <Link to={`/documents/${item.correction_document_id}`}>{t("feedback.became")}</Link>
          )}
          {can("documents:manage") && state === "open" && (
            <div className={styles["chips"]}>
              <Button size="small" look="primary" onClick={() => setDeed("accept")}>
                {t("feedback.accept")}
              </Button>
              <Button size="small" onClick={() => setDeed("reject")}>
                {t("feedback.reject")}
              </Button>
            </div>
          )}
        </div>
      )}
      {deed === "accept" && <AcceptDialog item={item} onClose={() => setDeed(null)} />}
      {deed === "reject" && <RejectDialog item={item} onClose={() => setDeed(null)} />}
    </li>
  );
}
