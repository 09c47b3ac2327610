import { useTranslation } from "react-i18next";

import { Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { useChatbot } from "@/lib/session";

import { Lab } from "./Lab";

/** Why a search finds what it finds: each part of it side by side, and what other settings would change. */
export default function SearchLab() {
  const { t } = useTranslation("search-lab");
  const { chatbot } = useChatbot();
  return (
    <Page title={t("title")} lead={t("lead")}>
      {chatbot === null ? <Spinner label={t("loading")} /> : <Lab key={chatbot.id} chatbot={chatbot} />}
    </Page>
  );
}
