import { useTranslation } from "react-i18next";

import type { Answering } from "../stream/answering";
import styles from "../Chat.module.css";
import { useLast } from "./useLast";

const ANNOUNCED_CHARACTERS = 600;

/** Tells screen readers of an answer when it is finished, and not of each word. */
export function Finished({ answering }: { answering: Answering | null }) {
  const { t } = useTranslation("chat");
  const last = useLast(answering);
  let said = "";
  if (last !== null) {
    const { facts, text, failed } = last.received;
    if (last.phase !== "over") {
      said = t("announce.writing");
    } else if (facts?.state === "interrupted") {
      said = t("answer.interrupted");
    } else if (facts !== null) {
      const plain = text.replace(/[*_#`|]+/g, " ").slice(0, ANNOUNCED_CHARACTERS);
      said = t(facts.answered ? "announce.answered" : "announce.unknown", { text: plain });
    } else {
      said = failed?.code === "chat.answer_stopped" ? t("answer.stopped") : t("announce.failed");
    }
  }
  return (
    <p className={styles["hidden"]} role="status" aria-live="polite">
      {said}
    </p>
  );
}
