import { useQuery } from "@tanstack/react-query";
import { ClipboardCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";

import { Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import { waitingQuery } from "../api";
import { AreaPage } from "../AreaPage";
import type { Document } from "../types";
import { Candidate } from "./Candidate";
import { after } from "./next";
import styles from "./review.module.css";

/** Documents that wait for approval, one after the other: the list, and the one to decide on beside it. */
export function ReviewPage() {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const { can } = useSession();
  const { data, error, refetch } = useQuery({
    ...waitingQuery(chatbot?.id ?? ""),
    enabled: chatbot !== null,
  });
  const isReviewed = chatbot?.settings["moderation"] === "review";
  return (
    <AreaPage title={t("parts.review")} lead={t("review.lead")}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {data === undefined && !error && <Spinner />}
      {data?.documents.length === 0 && (
        <Empty
          icon={<ClipboardCheck />}
          title={t("review.none")}
          action={!isReviewed && can("chatbots:manage") && <Link to="/admin">{t("review.toSettings")}</Link>}
        >
          {t(isReviewed ? "review.noneHint" : "review.open")}
        </Empty>
      )}
      {data !== undefined && data.documents.length > 0 && (
        <Queue documents={data.documents} total={data.total} />
      )}
    </AreaPage>
  );
}

function Queue({ documents, total }: { documents: readonly Document[]; total: number }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const [query, setQuery] = useSearchParams();
  const [first] = documents;
  const current = documents.find(({ id }) => id === query.get("document")) ?? first;
  const choose = (id: string | undefined) =>
    setQuery(id === undefined ? {} : { document: id }, { replace: true });
  const move = (by: number) => {
    const at = documents.findIndex(({ id }) => id === current?.id);
    const target = documents[Math.min(documents.length - 1, Math.max(0, at + by))];
    choose(target?.id);
  };
  return (
    <div className={styles["queue"]}>
      <nav className={styles["waiting"]} aria-label={t("review.waiting")}>
        <p role="status" className={styles["soft"]}>
          {t("review.count", { count: total })}
        </p>
        <ol>
          {documents.map((document) => (
            <li key={document.id}>
              <button
                type="button"
                className={styles["entry"]}
                aria-current={document.id === current?.id || undefined}
                onClick={() => choose(document.id)}
              >
                <span dir="auto">{document.title}</span>
                <small>
                  {formats.bytes(document.size_bytes)} · {formats.relative(document.uploaded_at)}
                </small>
              </button>
            </li>
          ))}
        </ol>
      </nav>
      {current && (
        <Candidate
          document={current}
          onMove={move}
          onDecided={() => choose(after(documents, current.id)?.id)}
        />
      )}
    </div>
  );
}
