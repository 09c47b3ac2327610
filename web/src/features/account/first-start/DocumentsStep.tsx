import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { ErrorNote } from "@/components/Notes";
import type { Chatbot } from "@/lib/session";

import styles from "../account.module.css";
import { useDocumentCount } from "./api";

export function DocumentsStep({ chatbot }: { chatbot: Chatbot }) {
  const { t } = useTranslation("account");
  const { data: count, error } = useDocumentCount(chatbot.id);
  if (error) {
    return <ErrorNote error={error} />;
  }
  return (
    <>
      <p role="status">{count === undefined ? t("common:loading") : t("setUp.documents.has", { count })}</p>
      <p className={styles["soft"]}>{t("setUp.documents.hint")}</p>
      <p className={styles["row"]}>
        <Link to="/documents">{t("setUp.documents.upload")}</Link>
        {(count ?? 0) > 0 && <Link to="/chat">{t("setUp.documents.keep")}</Link>}
      </p>
    </>
  );
}
