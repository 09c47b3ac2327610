/** Who is signed in, what that person may do, and which chatbot the pages are about. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useMemo, useState, type ReactNode } from "react";

import { api, data, type Schemas } from "./api";

export type Me = Schemas["MeOut"];
export type Permission = Me["permissions"][number];
export type Chatbot = Schemas["ChatbotOut"];

interface Session {
  me: Me;
  can: (permission: Permission) => boolean;
  signOut: () => Promise<void>;
}

interface ChosenChatbot {
  /** Null: there is none, or none may be listed. */
  chatbot: Chatbot | null;
  chatbots: readonly Chatbot[];
  choose: (chatbotId: string) => void;
}

const SessionContext = createContext<Session | null>(null);
const ChatbotContext = createContext<ChosenChatbot | null>(null);
const CHOSEN = "dragoman.chatbot";

export function SessionProvider({ me, children }: { me: Me; children: ReactNode }) {
  const cache = useQueryClient();
  const signOut = useCallback(async () => {
    await data(api.POST("/api/auth/sign-out/", {}));
    cache.clear();
    window.location.assign("/sign-in");
  }, [cache]);
  const session = useMemo(() => {
    const held = new Set<string>(me.permissions);
    return { me, can: (permission: Permission) => held.has(permission), signOut };
  }, [me, signOut]);
  return (
    <SessionContext value={session}>
      <ChatbotProvider>{children}</ChatbotProvider>
    </SessionContext>
  );
}

function ChatbotProvider({ children }: { children: ReactNode }) {
  const { me, can } = useSession();
  const [wanted, setWanted] = useState(() => localStorage.getItem(CHOSEN));
  const { data: listed } = useQuery({
    queryKey: ["chatbots"],
    queryFn: () => data(api.GET("/api/chatbots/", { params: { query: { limit: 200 } } })),
    enabled: can("chatbots:read"),
  });
  const chosen = useMemo(() => {
    const chatbots = listed?.chatbots ?? [];
    const chatbot =
      chatbots.find((each) => each.id === wanted) ??
      chatbots.find((each) => each.id === me.chatbot_id) ??
      chatbots.find((each) => each.is_default) ??
      chatbots[0] ??
      null;
    const choose = (chatbotId: string) => {
      localStorage.setItem(CHOSEN, chatbotId);
      setWanted(chatbotId);
    };
    return { chatbot, chatbots, choose };
  }, [listed, wanted, me.chatbot_id]);
  return <ChatbotContext value={chosen}>{children}</ChatbotContext>;
}

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) {
    throw new Error("useSession belongs below SessionProvider");
  }
  return session;
}

export function useChatbot(): ChosenChatbot {
  const chosen = use(ChatbotContext);
  if (chosen === null) {
    throw new Error("useChatbot belongs below SessionProvider");
  }
  return chosen;
}
