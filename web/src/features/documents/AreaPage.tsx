import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { NavLink } from "react-router";

import { Badge } from "@/components/Notes";
import { Page } from "@/components/Page";
import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import { waitingQuery } from "./api";
import styles from "./documents.module.css";

interface Props {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page of the area, with the way to its other parts for those who manage documents. */
export function AreaPage({ children, ...head }: Props) {
  const { can } = useSession();
  return (
    <Page {...head}>
      {can("documents:manage") && <Parts />}
      {children}
    </Page>
  );
}

function Parts() {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const { chatbot } = useChatbot();
  const { data: waiting } = useQuery({ ...waitingQuery(chatbot?.id ?? ""), enabled: chatbot !== null });
  return (
    <nav className={styles["areaNav"]} aria-label={t("parts.label")}>
      <NavLink to="/documents" end>
        {t("parts.documents")}
      </NavLink>
      <NavLink to="/documents/review">
        {t("parts.review")}
        {waiting !== undefined && waiting.total > 0 && (
          <Badge tone="warn">{formats.number(waiting.total)}</Badge>
        )}
      </NavLink>
      <NavLink to="/documents/sources">{t("parts.sources")}</NavLink>
      <NavLink to="/documents/imports">{t("parts.imports")}</NavLink>
    </nav>
  );
}
