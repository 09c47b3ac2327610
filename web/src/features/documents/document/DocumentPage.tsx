import { useQuery } from "@tanstack/react-query";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link, useParams, useSearchParams } from "react-router";

import { ErrorNote } from "@/components/Notes";
import { Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { Tabs } from "@/components/Tabs";
import { useChatbot } from "@/lib/session";

import { documentQuery, statusQuery } from "../api";
import shared from "../documents.module.css";
import { useLive } from "../live/LiveProvider";
import { useMayChange } from "../rights";
import type { Document } from "../types";
import { Deeds } from "./Deeds";
import { History } from "./History";
import { Overview } from "./Overview";
import { Preview } from "./Preview";
import { Quality } from "./Quality";
import { Standing } from "./Standing";
import { Versions } from "./Versions";

const TABS = ["overview", "text", "quality", "versions", "history"] as const;
const ASKED_EVERY_MS = 4_000;

export function DocumentPage() {
  const { t } = useTranslation("documents");
  const { id = "" } = useParams();
  const { data: document, error, refetch } = useQuery(documentQuery(id));
  if (error) {
    return (
      <Page title={t("document")}>
        <Back />
        <ErrorNote error={error} onRetry={() => void refetch()} />
      </Page>
    );
  }
  return document === undefined ? (
    <Page title={t("document")}>
      <Spinner label={t("loading", { ns: "common" })} />
    </Page>
  ) : (
    <Shown document={document} />
  );
}

function Shown({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const [query, setQuery] = useSearchParams();
  const mayChange = useMayChange()(document);
  const { connected } = useLive();
  const { chatbot } = useChatbot();
  const isHeard = connected && chatbot?.id === document.chatbot_id;
  const { data: status } = useQuery({
    ...statusQuery(document.id),
    refetchInterval: ({ state }) =>
      state.data?.state === "queued" || state.data?.state === "processing"
        ? isHeard
          ? 2 * ASKED_EVERY_MS
          : ASKED_EVERY_MS
        : false,
  });
  const shown = TABS.filter((tab) => tab !== "history" || mayChange);
  const tab = shown.find((each) => each === query.get("tab")) ?? "overview";
  return (
    <Page
      title={document.title}
      lead={<bdi>{document.file_name}</bdi>}
      actions={<Deeds document={document} />}
    >
      <Back />
      <Standing document={document} status={status} />
      <Tabs
        label={t("document")}
        current={tab}
        onChange={(next) => setQuery(next === "overview" ? {} : { tab: next }, { replace: true })}
        tabs={shown.map((key) => ({ key, title: t(`tab.${key}`) }))}
      >
        {tab === "overview" && <Overview document={document} status={status} mayChange={mayChange} />}
        {tab === "text" && <Preview document={document} />}
        {tab === "quality" && <Quality id={document.id} />}
        {tab === "versions" && <Versions document={document} mayChange={mayChange} />}
        {tab === "history" && <History id={document.id} />}
      </Tabs>
    </Page>
  );
}

function Back() {
  const { t } = useTranslation("documents");
  return (
    <Link to="/documents" className={shared["back"]}>
      <ArrowLeft aria-hidden />
      {t("allDocuments")}
    </Link>
  );
}
