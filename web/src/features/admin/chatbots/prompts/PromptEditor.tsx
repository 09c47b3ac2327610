import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Check, Select, TextArea, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Hint } from "@/components/schema-form/Hint";
import { LANGUAGES } from "@/lib/languages";

import styles from "../../admin.module.css";
import { Copyable } from "../../parts/SecretDialog";
import { useDeed } from "../../parts/useDeed";
import { useGuard } from "../../parts/useGuard";
import { CHATBOTS, previewPrompt, promptsAddress, promptsOf, writePrompt, type Template } from "../api";
import chatbotStyles from "../chatbots.module.css";

interface Props {
  chatbotId: string;
  /** What one begins from. */
  base: Template;
  variables: Readonly<Record<string, string>>;
}

/** Writes the next version; nothing that was there is changed. */
export function PromptEditor({ chatbotId, base, variables }: Props) {
  const { t, i18n } = useTranslation("admin");
  const [text, setText] = useState(base.text);
  const [note, setNote] = useState("");
  const [isUsed, setUsed] = useState(true);
  const [language, setLanguage] = useState(i18n.language);
  const write = useDeed(writePrompt, { refresh: [promptsOf(chatbotId), CHATBOTS], done: t("prompts.kept") });
  const preview = useMutation({ mutationFn: previewPrompt });
  useGuard(text !== base.text, promptsAddress(chatbotId));
  const error = write.error ?? preview.error;
  return (
    <Card title={t("prompts.next")}>
      <form
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          write.mutate({ id: chatbotId, text, note: note.trim(), use: isUsed });
        }}
      >
        {error && <ErrorNote error={error} />}
        <div className={chatbotStyles["editor"]}>
          <TextArea
            label={t("prompts.text")}
            rows={14}
            required
            maxLength={16_000}
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <details>
          <summary>{t("prompts.variables")}</summary>
          <dl className={styles["facts"]}>
            {Object.entries(variables).map(([name, what]) => (
              <Variable key={name} name={name} what={what} />
            ))}
          </dl>
        </details>
        <TextField
          label={t("prompts.note")}
          hint={t("prompts.noteHint")}
          maxLength={500}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <Check
          label={t("prompts.useAtOnce")}
          checked={isUsed}
          onChange={(event) => setUsed(event.target.checked)}
        />
        <div className={styles["row"]}>
          <Button
            type="submit"
            look="primary"
            busy={write.isPending}
            disabled={write.isPending || text === base.text}
          >
            {t("prompts.keep")}
          </Button>
          <Select
            label={t("prompts.previewIn")}
            hideLabel
            value={language}
            onChange={(event) => setLanguage(event.target.value)}
            options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
          />
          <Button busy={preview.isPending} onClick={() => preview.mutate({ id: chatbotId, text, language })}>
            {t("prompts.preview")}
          </Button>
        </div>
        <div role="status">{preview.data && <Copyable text={preview.data.system_message} />}</div>
      </form>
    </Card>
  );
}

function Variable({ name, what }: { name: string; what: string }) {
  return (
    <>
      <dt>
        <code dir="ltr">{`{{ ${name} }}`}</code>
      </dt>
      <dd>
        <Hint text={what} />
      </dd>
    </>
  );
}
