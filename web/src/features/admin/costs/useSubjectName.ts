import { useTranslation } from "react-i18next";

import { useChatbot, useSession } from "@/lib/session";

import { useUsers } from "../users/api";
import type { Budget } from "./api";

/** Whom a budget bounds, in words. */
export function useSubjectName(): (budget: Pick<Budget, "scope" | "subject">) => string {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const { chatbots } = useChatbot();
  const { data: users } = useUsers(0, 200, can("users:manage"));
  return ({ scope, subject }) => {
    if (scope === "tenant") {
      return t("budgets.scopes.tenant");
    }
    if (subject === "") {
      return t(scope === "chatbot" ? "budgets.eachChatbot" : "budgets.eachUser");
    }
    const chatbot = chatbots.find((each) => each.id === subject);
    const user = users?.users.find((each) => `user:${each.id}` === subject || each.id === subject);
    return chatbot?.name ?? user?.email ?? subject;
  };
}
