import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { useToasts } from "@/components/Toasts";
import { useChatbot } from "@/lib/session";

import { changeChatbot } from "./api";

/** Changes the chatbot of the set-up, and says so. */
export function useStep() {
  const { t } = useTranslation("account");
  const tell = useToasts();
  const cache = useQueryClient();
  const { chatbot } = useChatbot();
  return useMutation({
    mutationFn: (body: Omit<Parameters<typeof changeChatbot>[0], "id">) =>
      changeChatbot({ id: chatbot?.id ?? "", ...body }),
    onSuccess: async () => {
      tell.done(t("saved"));
      await cache.invalidateQueries({ queryKey: ["chatbots"] });
    },
  });
}
