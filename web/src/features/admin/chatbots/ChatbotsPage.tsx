import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Select, TextArea, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { Badge, Empty } from "@/components/Notes";
import { Page } from "@/components/Page";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { useDeed } from "../parts/useDeed";
import { CHATBOTS, makeChatbot, useChatbots } from "./api";

export function ChatbotsPage() {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const [offset, setOffset] = useState(0);
  const [making, setMaking] = useState(false);
  return (
    <Page
      title={t("chatbots.title")}
      lead={t("chatbots.lead")}
      actions={
        <Button look="primary" icon={<Plus />} onClick={() => setMaking(true)}>
          {t("chatbots.make")}
        </Button>
      }
    >
      <Listing
        query={useChatbots(offset)}
        rowsOf={(answer) => answer.chatbots}
        rowKey={(chatbot) => chatbot.id}
        caption={t("chatbots.title")}
        empty={<Empty title={t("chatbots.none")} />}
        offset={offset}
        onOffset={setOffset}
        columns={[
          {
            key: "name",
            title: t("name"),
            cell: (chatbot) => (
              <span className={styles["name"]}>
                <Link to={`/admin/chatbots/${chatbot.id}`} dir="auto">
                  {chatbot.name}
                </Link>
                <small dir="auto">{chatbot.description}</small>
              </span>
            ),
          },
          {
            key: "state",
            title: t("state"),
            cell: (chatbot) => (
              <span className={styles["row"]}>
                {chatbot.is_default && <Badge tone="accent">{t("chatbots.default")}</Badge>}
                {chatbot.access === "listed" && <Badge>{t("chatbots.listed")}</Badge>}
              </span>
            ),
          },
          {
            key: "answerer",
            title: t("settings.names.answerer"),
            minor: true,
            cell: (chatbot) => <code dir="ltr">{chatbot.settings.answerer}</code>,
          },
          {
            key: "changed",
            title: t("chatbots.changed"),
            minor: true,
            cell: (chatbot) => formats.relative(chatbot.updated_at),
          },
        ]}
      />
      {making && <MakeDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}

function MakeDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("admin");
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [access, setAccess] = useState<"tenant" | "listed">("tenant");
  const deed = useDeed(makeChatbot, { refresh: [CHATBOTS], done: t("chatbots.made") });
  return (
    <FormDialog
      title={t("chatbots.make")}
      submit={t("chatbots.makeDeed")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() =>
        deed.mutate(
          { name: name.trim(), description: description.trim(), access },
          { onSuccess: (made) => void navigate(`/admin/chatbots/${made.id}`) },
        )
      }
      onClose={onClose}
    >
      <TextField
        label={t("name")}
        required
        autoFocus
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
    </FormDialog>
  );
}
