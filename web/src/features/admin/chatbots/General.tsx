import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Select, TextArea, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";

import styles from "../admin.module.css";
import { RemoveDialog } from "../parts/RemoveDialog";
import { useDeed } from "../parts/useDeed";
import { UNGUARDED, useGuard } from "../parts/useGuard";
import { changeChatbot, CHATBOTS, removeChatbot, type ChatbotOut } from "./api";

/** Name, who may ask it, which one is the default; and its end. */
export function General({ chatbot }: { chatbot: ChatbotOut }) {
  const { t } = useTranslation("admin");
  const [name, setName] = useState(chatbot.name);
  const [description, setDescription] = useState(chatbot.description);
  const [access, setAccess] = useState(chatbot.access);
  const [removing, setRemoving] = useState(false);
  const deed = useDeed(changeChatbot, { refresh: [CHATBOTS], done: t("saved") });
  useGuard(
    name.trim() !== chatbot.name || description.trim() !== chatbot.description || access !== chatbot.access,
    `/admin/chatbots/${chatbot.id}/general`,
  );
  return (
    <div className={styles["stack"]}>
      <Card title={t("chatbots.tabs.general")}>
        <form
          className={styles["form"]}
          onSubmit={(event) => {
            event.preventDefault();
            deed.mutate({ id: chatbot.id, name: name.trim(), description: description.trim(), access });
          }}
        >
          {deed.error && <ErrorNote error={deed.error} />}
          <TextField
            label={t("name")}
            required
            maxLength={200}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <TextArea
            label={t("description")}
            hint={t("chatbots.descriptionHint")}
            maxLength={2000}
            rows={2}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
          <Select
            label={t("chatbots.access")}
            value={access}
            onChange={({ target }) => setAccess(target.value === "listed" ? "listed" : "tenant")}
            options={(["tenant", "listed"] as const).map((each) => ({
              value: each,
              label: t(`chatbots.accesses.${each}`),
            }))}
          />
          <div>
            <Button type="submit" look="primary" busy={deed.isPending}>
              {t("common:save")}
            </Button>
          </div>
        </form>
      </Card>
      <Card title={t("chatbots.default")}>
        <p className={styles["soft"]}>
          {t(chatbot.is_default ? "chatbots.isDefault" : "chatbots.defaultHint")}
        </p>
        {!chatbot.is_default && (
          <div>
            <Button busy={deed.isPending} onClick={() => deed.mutate({ id: chatbot.id, is_default: true })}>
              {t("chatbots.makeDefault")}
            </Button>
          </div>
        )}
      </Card>
      <Card title={t("chatbots.delete")}>
        <p className={styles["soft"]}>{t("chatbots.deleteHint")}</p>
        <div>
          <Button look="danger" onClick={() => setRemoving(true)}>
            {t("chatbots.delete")}
          </Button>
        </div>
      </Card>
      {removing && <Remove chatbot={chatbot} onClose={() => setRemoving(false)} />}
    </div>
  );
}

function Remove({ chatbot, onClose }: { chatbot: ChatbotOut; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const navigate = useNavigate();
  const deed = useDeed(
    async (id: string) => {
      await removeChatbot(id);
      await navigate("/admin/chatbots", UNGUARDED);
    },
    { refresh: [CHATBOTS], done: t("chatbots.deleted") },
  );
  return (
    <RemoveDialog
      title={t("chatbots.deleteOne", { name: chatbot.name })}
      deed={t("chatbots.delete")}
      typed={chatbot.name}
      busy={deed.isPending}
      error={deed.error}
      onConfirm={() => deed.mutate(chatbot.id)}
      onClose={onClose}
    >
      <p>{t("chatbots.deleteHint")}</p>
    </RemoveDialog>
  );
}
