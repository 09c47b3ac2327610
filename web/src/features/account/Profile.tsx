import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useToasts } from "@/components/Toasts";
import { useSession } from "@/lib/session";

import styles from "./account.module.css";
import { changeName } from "./api";

export function Profile() {
  const { t } = useTranslation("account");
  const { me, can } = useSession();
  const facts: readonly (readonly [string, string | null])[] = [
    ["email", me.email],
    ["role", t(`roles.${me.role}`)],
    ["tenant", me.tenant_name],
  ];
  return (
    <Card title={t("profile.title")}>
      <dl className={styles["facts"]}>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <FactRow key={name} name={t(`profile.${name}`)} value={value ?? ""} />
          ))}
      </dl>
      {me.user_id === null ? (
        <p className={styles["soft"]}>{t("profile.byKey")}</p>
      ) : (
        <>
          {!can("users:manage") && <p className={styles["soft"]}>{t("profile.roleHint")}</p>}
          <NameForm name={me.display_name ?? ""} />
        </>
      )}
    </Card>
  );
}

function FactRow({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd dir="auto">{value}</dd>
    </>
  );
}

function NameForm({ name: present }: { name: string }) {
  const { t } = useTranslation("account");
  const tell = useToasts();
  const cache = useQueryClient();
  const [name, setName] = useState(present);
  const change = useMutation({
    mutationFn: changeName,
    onSuccess: async () => {
      tell.done(t("saved"));
      await cache.invalidateQueries({ queryKey: ["me"] });
    },
  });
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate(name.trim());
      }}
    >
      {change.error && <ErrorNote error={change.error} />}
      <TextField
        label={t("profile.name")}
        hint={t("profile.nameHint")}
        required
        autoComplete="name"
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <div>
        <Button
          type="submit"
          busy={change.isPending}
          disabled={change.isPending || ["", present].includes(name.trim())}
        >
          {t("common:save")}
        </Button>
      </div>
    </form>
  );
}
