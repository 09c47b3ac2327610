import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Check, TextArea, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import type { Schemas } from "@/lib/api";

import styles from "../admin.module.css";
import type { Role } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { useDeed } from "../parts/useDeed";
import { useGuard } from "../parts/useGuard";
import { setSignOn, SIGN_ON } from "./api";

export function SignOnForm({ present }: { present: Schemas["SingleSignOnOut"] | null }) {
  const { t } = useTranslation("admin");
  const [name, setName] = useState(present?.name ?? "");
  const [issuer, setIssuer] = useState(present?.issuer ?? "");
  const [client, setClient] = useState(present?.client_id ?? "");
  const [secret, setSecret] = useState("");
  const [createsUsers, setCreatesUsers] = useState(present?.creates_users ?? false);
  const [role, setRole] = useState<Role>(present?.default_role ?? "member");
  const [domains, setDomains] = useState((present?.allowed_domains ?? []).join("\n"));
  const deed = useDeed(setSignOn, { refresh: [SIGN_ON], done: t("saved") });
  useGuard(
    secret !== "" ||
      name !== (present?.name ?? "") ||
      issuer !== (present?.issuer ?? "") ||
      client !== (present?.client_id ?? "") ||
      createsUsers !== (present?.creates_users ?? false) ||
      role !== (present?.default_role ?? "member") ||
      domains !== (present?.allowed_domains ?? []).join("\n"),
    "/admin/sign-on",
  );
  const submit = () =>
    deed.mutate({
      name: name.trim() || t("signOn.usualName"),
      issuer: issuer.trim(),
      client_id: client.trim(),
      client_secret: secret || null,
      creates_users: createsUsers,
      default_role: role,
      allowed_domains: domains.split(/[\s,]+/).filter(Boolean),
    });
  return (
    <Card title={t("signOn.provider")}>
      <form
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        {deed.error && <ErrorNote error={deed.error} />}
        <div className={styles["two"]}>
          <TextField
            label={t("signOn.issuer")}
            hint={t("signOn.issuerHint")}
            type="url"
            dir="ltr"
            required
            maxLength={500}
            placeholder="https://login.example.com/realms/acme"
            value={issuer}
            onChange={(event) => setIssuer(event.target.value)}
          />
          <TextField
            label={t("signOn.name")}
            hint={t("signOn.nameHint")}
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <TextField
            label={t("signOn.client")}
            dir="ltr"
            required
            maxLength={500}
            value={client}
            onChange={(event) => setClient(event.target.value)}
          />
          <TextField
            label={t("signOn.secret")}
            hint={present?.has_client_secret ? t("signOn.secretKept") : t("signOn.secretHint")}
            type="password"
            autoComplete="off"
            value={secret}
            onChange={(event) => setSecret(event.target.value)}
          />
        </div>
        <Check
          look="switch"
          label={t("signOn.createsUsers")}
          hint={t("signOn.createsUsersHint")}
          checked={createsUsers}
          onChange={(event) => setCreatesUsers(event.target.checked)}
        />
        {createsUsers && (
          <div className={styles["two"]}>
            <RoleSelect label={t("signOn.defaultRole")} value={role} onChange={setRole} />
            <TextArea
              label={t("signOn.domains")}
              hint={t("signOn.domainsHint")}
              dir="ltr"
              rows={3}
              value={domains}
              onChange={(event) => setDomains(event.target.value)}
            />
          </div>
        )}
        <div>
          <Button type="submit" look="primary" busy={deed.isPending}>
            {t("common:save")}
          </Button>
        </div>
      </form>
    </Card>
  );
}
