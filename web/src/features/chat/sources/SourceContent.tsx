import { useQuery } from "@tanstack/react-query";
import { ExternalLink, FileText } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { ErrorNote, Note } from "@/components/Notes";
import { ApiError } from "@/lib/api";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { documentQuery } from "../api";
import type { Source } from "../stream/events";
import { PageReader } from "./PageReader";
import styles from "./Sources.module.css";

interface Props {
  documentId: string;
  /** Null: the document was opened for itself. */
  source: Source | null;
}

export function SourceContent({ documentId, source }: Props) {
  const { t } = useTranslation("chat");
  const { can } = useSession();
  const reads = can("documents:read");
  const gone = source?.deleted ?? false;
  const { data: document, error } = useQuery({ ...documentQuery(documentId), enabled: reads && !gone });
  if (gone || (error instanceof ApiError && error.status === 404)) {
    return <Note tone="warn">{t("source.deletedLong")}</Note>;
  }
  return (
    <div className={styles["content"]}>
      <header className={styles["title"]}>
        <FileText aria-hidden="true" />
        <h3 dir="auto">{source?.title ?? document?.title ?? "…"}</h3>
      </header>
      {source !== null && <Passage source={source} />}
      {error && <ErrorNote error={error} />}
      {document && (
        <p>
          <a
            className={styles["original"]}
            href={`/api/chatbot/documents/${documentId}/content/`}
            target="_blank"
            rel="noopener"
          >
            <ExternalLink aria-hidden="true" />
            {t("source.original", { name: document.file_name })}
          </a>
        </p>
      )}
      {document && <PageReader document={document} source={source} />}
    </div>
  );
}

/** The quoted words, where they stand, and the pictures beside them. */
function Passage({ source }: { source: Source }) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const [broken, setBroken] = useState<ReadonlySet<string>>(new Set());
  const pictures = source.images.filter((image) => !broken.has(image));
  return (
    <>
      {(source.page !== null || source.heading_path.length > 0) && (
        <p className={styles["path"]}>
          {source.page !== null && <span>{t("source.page", { page: number(source.page) })}</span>}
          {source.heading_path.map((heading, place) => (
            <span key={place} dir="auto">
              {heading}
            </span>
          ))}
        </p>
      )}
      <blockquote
        className={styles["quote"]}
        dir="auto"
        lang={source.language === "und" ? undefined : source.language}
      >
        {source.excerpt}
      </blockquote>
      {pictures.length > 0 && (
        <div className={styles["pictures"]}>
          {pictures.map((image, place) => (
            <img
              key={image}
              src={`/api/chatbot/documents/${source.doc_id}/images/${image}/`}
              alt={t("source.picture", { place: number(place + 1), title: source.title })}
              loading="lazy"
              onError={() => setBroken((before) => new Set(before).add(image))}
            />
          ))}
        </div>
      )}
    </>
  );
}
