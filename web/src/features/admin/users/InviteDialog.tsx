import { useState } from "react";
import { useTranslation } from "react-i18next";

import { TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { useFormats } from "@/lib/format";

import type { Role } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { SecretDialog } from "../parts/SecretDialog";
import { useDeed } from "../parts/useDeed";
import { invite, INVITATIONS, USERS } from "./api";

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("member");
  const deed = useDeed(invite, { refresh: [INVITATIONS, USERS] });
  if (deed.data) {
    const { email: address, url, expires_at, is_mailed } = deed.data;
    const until = formats.dateTime(expires_at);
    return (
      <SecretDialog
        title={t("users.invited", { email: address })}
        hint={t(is_mailed ? "users.linkMailed" : "users.linkHint", { until })}
        secret={url}
        onClose={onClose}
      />
    );
  }
  return (
    <FormDialog
      title={t("users.invite")}
      submit={t("users.makeLink")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() => deed.mutate({ email: email.trim(), role })}
      onClose={onClose}
    >
      <TextField
        label={t("users.email")}
        type="email"
        dir="ltr"
        required
        autoFocus
        autoComplete="off"
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <RoleSelect value={role} onChange={setRole} />
    </FormDialog>
  );
}
