import { useQuery } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { ErrorNote } from "@/components/Notes";
import { useTitle } from "@/components/Page";
import { useChatbot, useSession } from "@/lib/session";

import { documentQuery, suggestionsQuery, useOpenSession } from "./api";
import styles from "./Chat.module.css";
import { Composer, dropDraft } from "./compose/Composer";
import { DocumentPicker, type Picked } from "./compose/DocumentPicker";
import { LanguageChoice } from "./compose/LanguageChoice";
import { useAsk } from "./useAsking";

const DRAFT = "new";

/** Where a conversation begins: what it is about is chosen here, and the first question opens it. */
export function NewConversation({ opener }: { opener: ReactNode }) {
  const { t, i18n } = useTranslation("chat");
  useTitle(t("sessions.new"));
  const { can } = useSession();
  const { chatbot } = useChatbot();
  const navigate = useNavigate();
  const ask = useAsk();
  const open = useOpenSession();
  const [language, setLanguage] = useState<string | null>(null);
  const named = useNamedDocument();
  const [chosen, setChosen] = useState<readonly Picked[] | null>(null);
  const picked = chosen ?? named;
  const begin = (question: string) =>
    open.mutate(
      {
        ...(chatbot ? { chatbot_id: chatbot.id } : {}),
        ...(picked.length > 0 ? { document_ids: picked.map(({ id }) => id) } : {}),
        ...(language ? { settings: { language } } : {}),
      },
      {
        onSuccess: (session) => {
          dropDraft(DRAFT);
          ask({ sessionId: session.id, question, replaces: null, again: null, language });
          void navigate(`/chat/${session.id}`);
        },
      },
    );
  return (
    <div className={styles["talk"]}>
      <header className={styles["head"]}>
        {opener}
        <h1>{t("sessions.new")}</h1>
      </header>
      <div className={styles["scroller"]}>
        <div className={styles["scrolled"]}>
          <div className={styles["welcome"]}>
            <div>
              <h2 dir="auto">{chatbot ? t("welcome.title", { name: chatbot.name }) : t("welcome.plain")}</h2>
              <p className={styles["lead"]}>{t("welcome.lead")}</p>
            </div>
            {chatbot && (
              <Suggestions
                chatbotId={chatbot.id}
                language={i18n.language}
                busy={open.isPending}
                onChoose={begin}
              />
            )}
          </div>
        </div>
      </div>
      <div className={styles["foot"]}>
        {open.error && <ErrorNote error={open.error} />}
        <Composer
          draftKey={DRAFT}
          busy={open.isPending}
          refused={open.error}
          onSend={begin}
          extra={
            <>
              {chatbot && can("documents:read") && (
                <DocumentPicker chatbotId={chatbot.id} picked={picked} onPick={setChosen} />
              )}
              <LanguageChoice value={language} onChange={setLanguage} />
            </>
          }
        />
      </div>
    </div>
  );
}

/** The document that the address asks about (`?about=`), as other pages lead here. */
function useNamedDocument(): readonly Picked[] {
  const [query] = useSearchParams();
  const id = query.get("about") ?? "";
  const { data: document } = useQuery({ ...documentQuery(id), enabled: id !== "" });
  return document === undefined ? [] : [{ id: document.id, title: document.title }];
}

interface SuggestionsProps {
  chatbotId: string;
  language: string;
  busy: boolean;
  onChoose: (question: string) => void;
}

/** Questions that the knowledge can answer. Nothing is shown where there are none. */
function Suggestions({ chatbotId, language, busy, onChoose }: SuggestionsProps) {
  const { t } = useTranslation("chat");
  const { data: suggestions = [] } = useQuery(suggestionsQuery(chatbotId, language));
  if (suggestions.length === 0) {
    return null;
  }
  return (
    <ul className={styles["suggestions"]} aria-label={t("welcome.suggestions")}>
      {suggestions.map(({ text, language: spoken }) => (
        <li key={text}>
          <Button className={styles["suggestion"]} disabled={busy} onClick={() => onChoose(text)}>
            <span dir="auto" lang={spoken === "und" ? undefined : spoken}>
              {text}
            </span>
            <ArrowRight aria-hidden="true" />
          </Button>
        </li>
      ))}
    </ul>
  );
}
