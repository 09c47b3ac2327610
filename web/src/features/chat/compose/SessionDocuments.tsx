import { useQueries } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { documentQuery, type Session } from "../api";
import { DocumentPicker } from "./DocumentPicker";

interface Props {
  session: Session;
  /** Null: all of them. */
  onChange: (documentIds: string[] | null) => void;
}

/** Narrows an open conversation to other documents, or widens it to all, from the next question on. */
export function SessionDocuments({ session, onChange }: Props) {
  const { t } = useTranslation("chat");
  const ids = session.document_ids ?? [];
  const found = useQueries({ queries: ids.map(documentQuery) });
  // What was deleted since is left out: nothing is found in it, and the server takes no list with it.
  const picked = ids
    .map((id, place) => ({
      id,
      title: found[place]?.data?.title ?? t("common:loading"),
      isGone: found[place]?.isError,
    }))
    .filter(({ isGone }) => !isGone)
    .map(({ id, title }) => ({ id, title }));
  return (
    <DocumentPicker
      chatbotId={session.chatbot_id}
      picked={picked}
      label={ids.length > 0 ? t("compose.changeDocuments") : undefined}
      onPick={(chosen) => {
        const next = chosen.length === 0 ? null : chosen.map(({ id }) => id);
        if (next?.join() !== session.document_ids?.join()) {
          onChange(next);
        }
      }}
    />
  );
}
