import { Pencil } from "lucide-react";
import { memo, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { TextArea } from "@/components/Field";

import type { Message } from "../api";
import { QUESTION_CHARACTERS } from "../compose/Composer";
import { Alternatives } from "./Alternatives";
import { useConversation } from "./context";
import styles from "./Messages.module.css";

/** What somebody asked. Asked otherwise, it begins a branch; the earlier one can be gone back to. */
export const Question = memo(function Question({ message }: { message: Message }) {
  const { t } = useTranslation("chat");
  const { isOpen, busy } = useConversation();
  const [edits, setEdits] = useState(false);
  if (edits) {
    return <Edit message={message} onClose={() => setEdits(false)} />;
  }
  return (
    <article className={styles["question"]} aria-label={t("question.label")}>
      <Bubble text={message.content} />
      <div className={styles["actions"]}>
        <Alternatives message={message} />
        <CopyButton text={message.content} label={t("question.copy")} />
        {isOpen && (
          <IconButton
            size="small"
            label={t("question.edit")}
            icon={<Pencil />}
            disabled={busy}
            onClick={() => setEdits(true)}
          />
        )}
      </div>
    </article>
  );
});

/** A question that was sent just now. */
export function Asked({ text }: { text: string }) {
  const { t } = useTranslation("chat");
  return (
    <article className={styles["question"]} aria-label={t("question.label")}>
      <Bubble text={text} />
    </article>
  );
}

function Bubble({ text }: { text: string }) {
  return (
    <p className={styles["bubble"]} dir="auto">
      {text}
    </p>
  );
}

function Edit({ message, onClose }: { message: Message; onClose: () => void }) {
  const { t } = useTranslation("chat");
  const { ask } = useConversation();
  const [text, setText] = useState(message.content);
  const again = () => {
    onClose();
    ask({ question: text.trim(), replaces: message.id });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      onClose();
    }
  };
  return (
    <form
      className={styles["edit"]}
      onSubmit={(event) => {
        event.preventDefault();
        again();
      }}
    >
      <TextArea
        label={t("question.edit")}
        hint={t("question.editHint")}
        value={text}
        maxLength={QUESTION_CHARACTERS}
        autoFocus
        onKeyDown={onKeyDown}
        onChange={(event) => setText(event.target.value)}
      />
      <div className={styles["deeds"]}>
        <Button onClick={onClose}>{t("common:cancel")}</Button>
        <Button type="submit" look="primary" disabled={text.trim() === ""}>
          {t("answer.askAgain")}
        </Button>
      </div>
    </form>
  );
}
