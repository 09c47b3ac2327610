import { createContext, use } from "react";

import type { Looked } from "../useCitation";

interface InConversation {
  sessionId: string;
  /** It takes questions. */
  isOpen: boolean;
  /** An answer is being written. */
  busy: boolean;
  ask: (wish: { question: string; replaces?: string; again?: string }) => void;
  looked: Looked | null;
  look: (at: Looked) => void;
}

export const ConversationContext = createContext<InConversation | null>(null);

export function useConversation(): InConversation {
  const conversation = use(ConversationContext);
  if (conversation === null) {
    throw new Error("useConversation belongs below ConversationContext");
  }
  return conversation;
}
