import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { classes } from "@/components/classes";
import { ErrorNote } from "@/components/Notes";
import { useTitle } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { ApiError } from "@/lib/api";
import { useSession } from "@/lib/session";

import { messagesQuery, sessionQuery, useChangeSession, type Message, type Session } from "./api";
import styles from "./Chat.module.css";
import { Composer } from "./compose/Composer";
import { LanguageChoice, languageOf } from "./compose/LanguageChoice";
import { Scope } from "./compose/Scope";
import { SessionDocuments } from "./compose/SessionDocuments";
import { entriesOf } from "./entries";
import { ConversationContext } from "./messages/context";
import { Finished } from "./messages/Finished";
import { MessageList } from "./messages/MessageList";
import { Scroller } from "./messages/Scroller";
import { SessionMenu } from "./sessions/SessionRow";
import { SourceView } from "./sources/SourceView";
import { stop, useAnswering } from "./stream/answering";
import { useAsk, useResume } from "./useAsking";
import { useCitation } from "./useCitation";

interface Props {
  sessionId: string;
  opener: ReactNode;
}

/** A conversation that was begun: its messages, the answer that is being written, and where the next question goes. */
export default function Conversation({ sessionId, opener }: Props) {
  const { t } = useTranslation("chat");
  const session = useQuery(sessionQuery(sessionId));
  const messages = useQuery(messagesQuery(sessionId));
  const title = session.data?.title || t("sessions.untitled");
  useTitle(title);
  useResume(sessionId);
  const error = session.error ?? messages.error;
  const retry = () => void Promise.all([session.refetch(), messages.refetch()]);
  const isGone = error instanceof ApiError && error.status < 500;
  return (
    <div className={styles["conversation"]}>
      {session.data && messages.data ? (
        <Talk session={session.data} messages={messages.data} title={title} opener={opener} />
      ) : (
        <div className={styles["talk"]}>
          <header className={styles["head"]}>
            {opener}
            <h1>{error ? t("conversation.notOpen") : t("conversation.opening")}</h1>
          </header>
          <div className={styles["problem"]}>
            {error ? (
              <>
                <ErrorNote error={error} onRetry={isGone ? undefined : retry} />
                <p>
                  <Link to="/chat">{t("sessions.new")}</Link>
                </p>
              </>
            ) : (
              <Spinner label={t("conversation.opening")} />
            )}
          </div>
        </div>
      )}
    </div>
  );
}

interface TalkProps {
  session: Session;
  messages: Message[];
  title: string;
  opener: ReactNode;
}

function Talk({ session, messages, title, opener }: TalkProps) {
  const { t } = useTranslation("chat");
  const { can } = useSession();
  const answering = useAnswering(session.id);
  const { looked, look, close } = useCitation();
  const askNow = useAsk();
  const [asked, setAsked] = useState(0);
  const language = languageOf(session);
  const change = useChangeSession(session.id);
  const entries = useMemo(() => entriesOf(messages, answering), [messages, answering]);
  const busy = answering !== null && answering.phase !== "over";

  const ask = useCallback(
    (wish: { question: string; replaces?: string; again?: string }) => {
      askNow({ sessionId: session.id, replaces: null, again: null, language, ...wish });
      setAsked((times) => times + 1);
    },
    [askNow, session.id, language],
  );
  const context = useMemo(
    () => ({ sessionId: session.id, isOpen: session.is_active, busy, ask, looked, look }),
    [session.id, session.is_active, busy, ask, looked, look],
  );
  return (
    <ConversationContext value={context}>
      <div
        className={classes(styles["conversation"], looked && styles["withSource"])}
        data-looking={looked !== null}
      >
        <div className={styles["talk"]}>
          <header className={styles["head"]}>
            {opener}
            <h1 dir="auto" title={title}>
              {title}
            </h1>
            <SessionMenu session={session} isActive />
          </header>
          <Scope documentIds={session.document_ids ?? null} />
          <Scroller follow={asked}>
            <MessageList entries={entries} />
          </Scroller>
          <div className={styles["foot"]}>
            {change.error && <ErrorNote error={change.error} />}
            <Composer
              draftKey={session.id}
              busy={busy}
              stopping={answering?.phase === "stopping"}
              refused={answering?.phase === "over" ? answering.error : null}
              closed={session.is_active ? null : t("compose.closed")}
              onReopen={session.is_active ? undefined : () => change.mutate({ is_active: true })}
              onSend={(question) => ask({ question })}
              onStop={() => stop(session.id)}
              extra={
                <>
                  {can("documents:read") && (
                    <SessionDocuments
                      session={session}
                      onChange={(documentIds) => change.mutate({ document_ids: documentIds })}
                    />
                  )}
                  <LanguageChoice
                    value={language}
                    onChange={(chosen) =>
                      change.mutate({ settings: { ...session.settings, language: chosen ?? undefined } })
                    }
                  />
                </>
              }
            />
          </div>
        </div>
        {looked && <SourceView looked={looked} messages={messages} answering={answering} onClose={close} />}
      </div>
      <Finished answering={answering} />
    </ConversationContext>
  );
}
