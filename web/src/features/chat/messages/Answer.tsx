import { CircleHelp, Sparkles } from "lucide-react";
import { memo, useMemo } from "react";
import { useTranslation } from "react-i18next";

import { classes } from "@/components/classes";
import { Button } from "@/components/Button";
import { ErrorNote, Note } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { ApiError } from "@/lib/api";

import type { Message } from "../api";
import type { Answering } from "../stream/answering";
import type { Source } from "../stream/events";
import { AnswerText } from "../text/AnswerText";
import { inUnits } from "../text/marks";
import { Actions } from "./Actions";
import { useConversation } from "./context";
import { Degraded } from "./Degraded";
import { Doubts, doubtsOf } from "./Doubts";
import styles from "./Messages.module.css";
import { Nearest, withoutNearest } from "./Nearest";
import { Sources } from "./Sources";

interface Props {
  /** An answer that is stored, */
  message?: Message;
  /** or one that is being written. */
  answering?: Answering;
}

const NO_SOURCES: readonly Source[] = [];

/** An answer: its text with the numbers of its sources, the sources, and what is to be known of it. */
export const Answer = memo(function Answer({ message, answering }: Props) {
  const { t } = useTranslation("chat");
  const received = answering?.received;
  const id = message?.id ?? received?.messageId ?? null;
  const facts = message?.facts ?? received?.facts ?? null;
  const whole = message?.content ?? received?.text ?? "";
  const sources = message?.sources ?? received?.sources ?? NO_SOURCES;
  const isWriting = message === undefined && answering?.phase !== "over";
  const state = message?.state ?? received?.facts?.state ?? "";
  const unknown = facts?.answered === false && state === "complete";
  const text = unknown ? withoutNearest(whole, facts) : whole;
  const doubts = useMemo(() => doubtsOf(facts, text), [facts, text]);
  const spans = useMemo(() => doubts.map((doubt) => inUnits(text, doubt)), [doubts, text]);
  return (
    <article
      id={id === null ? undefined : `message-${id}`}
      className={classes(styles["answer"], unknown && styles["unknown"])}
      aria-label={t(unknown ? "answer.unknownLabel" : "answer.label")}
      aria-busy={isWriting || undefined}
    >
      <span className={styles["avatar"]} aria-hidden="true">
        {unknown ? <CircleHelp /> : <Sparkles />}
      </span>
      <div className={styles["said"]}>
        {unknown && <h2 className={styles["unknownTitle"]}>{t("answer.unknown")}</h2>}
        {text !== "" && id !== null && (
          <AnswerText text={text} answerId={id} sources={sources} spans={spans} isWriting={isWriting} />
        )}
        {isWriting && answering && <Stage answering={answering} />}
        {answering?.phase === "over" && <Failed answering={answering} />}
        {state === "interrupted" && <Interrupted answerId={id} />}
        {facts && <Degraded facts={facts} />}
        {doubts.length > 0 && <Doubts doubts={doubts} text={text} />}
        {unknown && <Nearest facts={facts} />}
        {sources.length > 0 && id !== null && <Sources answerId={id} sources={sources} />}
        {message && <Actions message={message} facts={facts} />}
      </div>
    </article>
  );
});

/** What happens now; once words come they speak for themselves, unless the way to them is broken. */
function Stage({ answering }: { answering: Answering }) {
  const { t } = useTranslation("chat");
  const { phase, received } = answering;
  const key = phase === "open" ? received.stage : phase;
  return (
    <p className={styles["stage"]} data-stage={key}>
      <Spinner />
      {t(`stage.${key}`)}
    </p>
  );
}

function Interrupted({ answerId }: { answerId: string | null }) {
  const { t } = useTranslation("chat");
  const { ask, isOpen, busy } = useConversation();
  return (
    <Note tone="warn">
      <p>{t("answer.interrupted")}</p>
      {isOpen && answerId !== null && (
        <Button size="small" disabled={busy} onClick={() => ask({ question: "", again: answerId })}>
          {t("common:tryAgain")}
        </Button>
      )}
    </Note>
  );
}

/** An answer that came to nothing: why, and again. */
function Failed({ answering }: { answering: Answering }) {
  const { t } = useTranslation("chat");
  const { ask } = useConversation();
  const { asked, received, error } = answering;
  const again = () =>
    ask({
      question: asked.question,
      ...(asked.replaces === null ? {} : { replaces: asked.replaces }),
      ...(asked.again === null ? {} : { again: asked.again }),
    });
  if (received.failed !== null) {
    return received.failed.code === "chat.answer_stopped" ? (
      <Note tone="warn">
        <p>{t("answer.stopped")}</p>
        <Button size="small" onClick={again}>
          {t("answer.askAgain")}
        </Button>
      </Note>
    ) : (
      <ErrorNote error={new ApiError(problemOf(received.failed))} onRetry={again} />
    );
  }
  return error === null ? null : <ErrorNote error={error} onRetry={again} />;
}

const problemOf = ({ code, detail }: { code: string; detail: string }) => ({
  code,
  detail,
  title: detail,
  status: 500,
});
