import { useState } from "react";
import { useTranslation } from "react-i18next";

import { ErrorNote, Note } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";

import styles from "../../admin.module.css";
import { useGuard } from "../../parts/useGuard";
import { promptsAddress, usePrompts, type ChatbotOut, type Template } from "../api";
import { Compare } from "./Compare";
import { PromptEditor } from "./PromptEditor";
import { Versions } from "./Versions";

/** The templates of a chatbot: each is a version that stays; one of them is answered by. */
export function Prompts({ chatbot }: { chatbot: ChatbotOut }) {
  const { t } = useTranslation("admin");
  const { data, error, refetch } = usePrompts(chatbot.id);
  const [chosen, setChosen] = useState<Template | null>(null);
  const askFirst = useGuard(false, promptsAddress(chatbot.id));
  const [compared, setCompared] = useState<Template | null>(null);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner label={t("common:loading")} />;
  }
  const versions = [...data.templates, data.built_in];
  const used = versions.find((each) => each.is_used) ?? data.built_in;
  const base = chosen ?? used;
  return (
    <div className={styles["stack"]}>
      {chatbot.settings.answerer === "extractive" && (
        <Note>
          <p>{t("prompts.extractive")}</p>
        </Note>
      )}
      <Versions
        chatbotId={chatbot.id}
        versions={versions}
        onEdit={(template) => askFirst(() => setChosen(template))}
        onCompare={setCompared}
      />
      <PromptEditor
        key={`${base.version} ${data.templates.length}`}
        chatbotId={chatbot.id}
        base={base}
        variables={data.variables}
      />
      {compared && (
        <Compare versions={versions} first={used} second={compared} onClose={() => setCompared(null)} />
      )}
    </div>
  );
}
