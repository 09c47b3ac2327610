import { useQueries } from "@tanstack/react-query";
import { FileText } from "lucide-react";
import { useTranslation } from "react-i18next";

import { useSession } from "@/lib/session";

import { documentQuery } from "../api";
import styles from "./Composer.module.css";

const NAMED = 4;

/** Which documents a conversation is narrowed to. */
export function Scope({ documentIds }: { documentIds: readonly string[] | null }) {
  const { t } = useTranslation("chat");
  const { can } = useSession();
  const named = can("documents:read") ? (documentIds ?? []).slice(0, NAMED) : [];
  const documents = useQueries({ queries: named.map(documentQuery) });
  if (documentIds === null || documentIds.length === 0) {
    return null;
  }
  return (
    <div className={styles["scope"]}>
      <span>{t("compose.narrowed", { count: documentIds.length })}</span>
      <ul>
        {documents.map((found, place) => (
          <li key={named[place]} className={styles["chip"]}>
            <FileText aria-hidden="true" size={14} />
            <span dir="auto">{found.data?.title ?? (found.error ? t("source.deleted") : "…")}</span>
          </li>
        ))}
        {documentIds.length > named.length && named.length > 0 && (
          <li>{t("compose.others", { count: documentIds.length - named.length })}</li>
        )}
      </ul>
    </div>
  );
}
