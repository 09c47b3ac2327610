import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { MarkdownLater } from "@/components/MarkdownLater";
import { ErrorNote, Note } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import { download, pageQuery, versionsQuery } from "../api";
import type { Document } from "../types";
import styles from "./review.module.css";

/** The text to decide on. Of a new version of a document that serves, the API shows the text of the one that serves. */
export function CandidateText({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const tell = useToasts();
  const [number, setNumber] = useState(1);
  const total = document.pages ?? 1;
  const page = useQuery(pageQuery(document.id, number));
  const versions = useQuery(versionsQuery(document.id));
  const newest = versions.data?.versions[0];
  const isOldText = document.state === "ready";
  return (
    <div className={styles["text"]}>
      {isOldText && (
        <Note tone="warn">
          <p>{t("review.oldText")}</p>
          <Button
            size="small"
            disabled={newest === undefined}
            onClick={() =>
              newest && void download(document.id, newest.file_name, newest.version).catch(tell.failed)
            }
          >
            {t("deed.download")}
          </Button>
        </Note>
      )}
      {page.error && <ErrorNote error={page.error} onRetry={() => void page.refetch()} />}
      {page.isPending && <Spinner />}
      {page.data && (
        <div className={styles["paper"]} tabIndex={0} role="region" aria-label={t("preview.text")}>
          <MarkdownLater>{page.data.text}</MarkdownLater>
        </div>
      )}
      {total > 1 && (
        <div className={styles["turn"]}>
          <Button size="small" disabled={number <= 1} onClick={() => setNumber(number - 1)}>
            {t("preview.before")}
          </Button>
          <span aria-live="polite">
            {t("preview.pageOf", { page: formats.number(number), total: formats.number(total) })}
          </span>
          <Button size="small" disabled={number >= total} onClick={() => setNumber(number + 1)}>
            {t("preview.after")}
          </Button>
        </div>
      )}
    </div>
  );
}
