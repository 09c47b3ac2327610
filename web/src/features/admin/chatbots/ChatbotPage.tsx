import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";

import { Badge, ErrorNote } from "@/components/Notes";
import { Page } from "@/components/Page";
import type { FormField } from "@/components/schema-form/schema";
import { Spinner } from "@/components/Spinner";
import { Tabs } from "@/components/Tabs";

import { useGuard } from "../parts/useGuard";
import { useOneChatbot, useSettingFields, type ChatbotOut } from "./api";
import { General } from "./General";
import { Members } from "./Members";
import { Prompts } from "./prompts/Prompts";
import { SaveBar } from "./SaveBar";
import { SettingsTab } from "./SettingsTab";
import { useDraft } from "./useDraft";
import { WidgetTab } from "./widget/WidgetTab";

const TABS = ["settings", "prompts", "widget", "members", "general"] as const;

export function ChatbotPage() {
  const { t } = useTranslation("admin");
  const { id = "" } = useParams();
  const chatbot = useOneChatbot(id);
  const fields = useSettingFields();
  const error = chatbot.error ?? fields.error;
  if (error) {
    return <ErrorNote error={error} onRetry={() => void chatbot.refetch()} />;
  }
  return chatbot.data && fields.data ? (
    <Loaded key={id} chatbot={chatbot.data} fields={fields.data} />
  ) : (
    <Spinner label={t("common:loading")} />
  );
}

function Loaded({ chatbot, fields }: { chatbot: ChatbotOut; fields: readonly FormField[] }) {
  const { t } = useTranslation("admin");
  const { tab } = useParams();
  const navigate = useNavigate();
  const draft = useDraft(chatbot, fields);
  useGuard(draft.changed.size > 0, `/admin/chatbots/${chatbot.id}`);
  const current = TABS.find((each) => each === tab) ?? "settings";
  return (
    <Page
      title={chatbot.name}
      lead={
        <>
          <Link to="/admin/chatbots">{t("chatbots.title")}</Link>{" "}
          {chatbot.is_default && <Badge tone="accent">{t("chatbots.default")}</Badge>}
        </>
      }
    >
      <Tabs
        label={chatbot.name}
        tabs={TABS.map((each) => ({ key: each, title: t(`chatbots.tabs.${each}`) }))}
        current={current}
        onChange={(key) => void navigate(`/admin/chatbots/${chatbot.id}/${key}`)}
      >
        {current === "settings" && <SettingsTab chatbot={chatbot} fields={fields} draft={draft} />}
        {current === "prompts" && <Prompts chatbot={chatbot} />}
        {current === "widget" && <WidgetTab chatbot={chatbot} fields={fields} draft={draft} />}
        {current === "members" && <Members chatbot={chatbot} />}
        {current === "general" && <General chatbot={chatbot} />}
      </Tabs>
      <SaveBar chatbot={chatbot} draft={draft} />
    </Page>
  );
}
