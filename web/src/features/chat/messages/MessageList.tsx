import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Note } from "@/components/Notes";

import styles from "../Chat.module.css";
import type { Entry } from "../entries";
import { Answer } from "./Answer";
import { useConversation } from "./context";
import { Asked, Question } from "./Question";

const SHOWN = 40;

/** The latest messages of a conversation, and earlier ones when they are wanted. */
export function MessageList({ entries }: { entries: readonly Entry[] }) {
  const { t } = useTranslation("chat");
  const [most, setMost] = useState(SHOWN);
  const earlier = Math.max(0, entries.length - most);
  return (
    <>
      {earlier > 0 && (
        <Button className={styles["earlier"]} size="small" onClick={() => setMost(most + SHOWN)}>
          {t("conversation.earlier", { count: earlier })}
        </Button>
      )}
      {entries.slice(earlier).map((entry) => (
        <EntryView key={entry.key} entry={entry} />
      ))}
    </>
  );
}

function EntryView({ entry }: { entry: Entry }) {
  switch (entry.kind) {
    case "question":
      return <Question message={entry.message} />;
    case "asked":
      return <Asked text={entry.text} />;
    case "answer":
      return <Answer message={entry.message} />;
    case "writing":
      return <Answer answering={entry.answering} />;
    case "unanswered":
      return <Unanswered question={entry.message.content} replaces={entry.message.id} />;
  }
}

function Unanswered({ question, replaces }: { question: string; replaces: string }) {
  const { t } = useTranslation("chat");
  const { ask, isOpen, busy } = useConversation();
  return (
    <Note tone="warn">
      <p>{t("answer.none")}</p>
      {isOpen && (
        <Button size="small" disabled={busy} onClick={() => ask({ question, replaces })}>
          {t("answer.askAgain")}
        </Button>
      )}
    </Note>
  );
}
