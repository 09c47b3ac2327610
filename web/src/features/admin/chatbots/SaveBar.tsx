import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { ErrorNote } from "@/components/Notes";

import { useDeed } from "../parts/useDeed";
import { changeChatbot, CHATBOTS, type ChatbotOut } from "./api";
import styles from "./chatbots.module.css";
import type { Draft } from "./useDraft";

/** Tells of changes that are not saved, on whichever tab they were made. */
export function SaveBar({ chatbot, draft }: { chatbot: ChatbotOut; draft: Draft }) {
  const { t } = useTranslation("admin");
  const deed = useDeed(changeChatbot, { refresh: [CHATBOTS], done: t("saved") });
  const count = draft.changed.size;
  return (
    <div role="status" className={count > 0 ? styles["bar"] : undefined}>
      {count > 0 && (
        <>
          {deed.error && <ErrorNote error={deed.error} />}
          <div className={styles["barRow"]}>
            <p>{t("settings.unsaved", { count })}</p>
            <Button onClick={draft.discard}>{t("settings.discard")}</Button>
            <Button
              look="primary"
              busy={deed.isPending}
              disabled={deed.isPending || draft.fault !== null}
              onClick={() =>
                deed.mutate({ id: chatbot.id, settings: draft.changes }, { onSuccess: draft.discard })
              }
            >
              {t("common:save")}
            </Button>
          </div>
        </>
      )}
    </div>
  );
}
