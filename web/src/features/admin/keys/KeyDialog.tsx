import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, Select, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { useChatbot } from "@/lib/session";

import styles from "../admin.module.css";
import type { Role } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { SecretDialog } from "../parts/SecretDialog";
import { useDeed } from "../parts/useDeed";
import { KEYS, makeKey, useServiceAccounts, type Permission } from "./api";
import { Scopes } from "./Scopes";

export function KeyDialog({ accountId = "", onClose }: { accountId?: string; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const { chatbots } = useChatbot();
  const { data: accounts } = useServiceAccounts();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [account, setAccount] = useState(accountId);
  const [chatbot, setChatbot] = useState("");
  const [isConfined, setConfined] = useState(false);
  const [actsForUsers, setActsForUsers] = useState(false);
  const [expires, setExpires] = useState("");
  const [scopes, setScopes] = useState<readonly Permission[] | null>(null);
  const deed = useDeed(makeKey, { refresh: [KEYS] });
  if (deed.data) {
    return (
      <SecretDialog
        title={t("keys.made", { name: deed.data.name })}
        hint={t("keys.secretHint")}
        secret={deed.data.api_key}
        onClose={onClose}
      />
    );
  }
  const submit = () =>
    deed.mutate({
      name: name.trim(),
      role,
      scopes: scopes === null ? null : [...scopes],
      service_account_id: account || null,
      chatbot_id: chatbot || null,
      confined: isConfined && chatbot !== "",
      may_act_for_users: actsForUsers,
      expires_at: expires ? new Date(`${expires}T23:59:59`).toISOString() : null,
    });
  return (
    <FormDialog
      title={t("keys.make")}
      submit={t("keys.makeDeed")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={submit}
      onClose={onClose}
    >
      <TextField
        label={t("name")}
        hint={t("keys.nameHint")}
        required
        autoFocus
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <RoleSelect value={role} onChange={setRole} />
      <Scopes value={scopes} onChange={setScopes} />
      <div className={styles["two"]}>
        <Select
          label={t("keys.chatbot")}
          value={chatbot}
          onChange={(event) => setChatbot(event.target.value)}
          options={[
            { value: "", label: t("keys.anyChatbot") },
            ...chatbots.map((each) => ({ value: each.id, label: each.name })),
          ]}
        />
        <TextField
          label={t("keys.expires")}
          hint={t("keys.expiresHint")}
          type="date"
          value={expires}
          onChange={(event) => setExpires(event.target.value)}
        />
      </div>
      {(accounts?.service_accounts.length ?? 0) > 0 && (
        <Select
          label={t("accounts.one")}
          value={account}
          onChange={(event) => setAccount(event.target.value)}
          options={[
            { value: "", label: t("accounts.noOne") },
            ...(accounts?.service_accounts ?? []).map((each) => ({ value: each.id, label: each.name })),
          ]}
        />
      )}
      {chatbot !== "" && (
        <Check
          label={t("keys.confined")}
          hint={t("keys.confinedHint")}
          checked={isConfined}
          onChange={(event) => setConfined(event.target.checked)}
        />
      )}
      <Check
        label={t("keys.actsForUsers")}
        hint={t("keys.actsForUsersHint")}
        checked={actsForUsers}
        onChange={(event) => setActsForUsers(event.target.checked)}
      />
    </FormDialog>
  );
}
