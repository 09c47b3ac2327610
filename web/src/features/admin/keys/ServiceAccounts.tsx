import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Check, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { RemoveDialog } from "../parts/RemoveDialog";
import { isAbove, type Role } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { useDeed } from "../parts/useDeed";
import {
  ACCOUNTS,
  changeAccount,
  KEYS,
  makeAccount,
  removeAccount,
  useServiceAccounts,
  type ServiceAccount,
} from "./api";
import { KeyDialog } from "./KeyDialog";

/** Machines with a name of their own, whose keys share documents and sessions. */
export function ServiceAccounts() {
  const { t } = useTranslation("admin");
  const { me } = useSession();
  const [open, setOpen] = useState<"make" | { remove: ServiceAccount } | { key: ServiceAccount } | null>(
    null,
  );
  const close = () => setOpen(null);
  const change = useDeed(changeAccount, { refresh: [ACCOUNTS], done: t("saved") });
  return (
    <Card
      title={t("accounts.title")}
      actions={
        <Button size="small" icon={<Plus />} onClick={() => setOpen("make")}>
          {t("accounts.make")}
        </Button>
      }
    >
      {change.error && <ErrorNote error={change.error} />}
      <Listing
        query={useServiceAccounts()}
        rowsOf={(answer) => answer.service_accounts}
        rowKey={(account) => account.id}
        caption={t("accounts.title")}
        empty={<p className={styles["soft"]}>{t("accounts.none")}</p>}
        columns={[
          {
            key: "name",
            title: t("name"),
            cell: (account) => (
              <span className={styles["name"]}>
                <bdi>{account.name}</bdi>
                <small dir="auto">{account.description}</small>
              </span>
            ),
          },
          {
            key: "role",
            title: t("role"),
            cell: (account) => (
              <RoleSelect
                hideLabel
                label={t("users.roleOf", { name: account.name })}
                disabled={isAbove(account.role, me.role)}
                value={account.role}
                onChange={(role) => change.mutate({ id: account.id, role })}
              />
            ),
          },
          {
            key: "active",
            title: t("state"),
            cell: (account) => (
              <Check
                look="switch"
                label={
                  <span className={styles["small"]}>
                    {t(account.is_active ? "accounts.on" : "accounts.off")}
                  </span>
                }
                aria-label={t("accounts.onOf", { name: account.name })}
                checked={account.is_active}
                onChange={({ target }) => change.mutate({ id: account.id, is_active: target.checked })}
              />
            ),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (account) => (
              <div className={styles["end"]}>
                <IconButton
                  size="small"
                  label={t("accounts.makeKey", { name: account.name })}
                  icon={<KeyRound />}
                  onClick={() => setOpen({ key: account })}
                />
                <IconButton
                  size="small"
                  label={t("accounts.remove", { name: account.name })}
                  icon={<Trash2 />}
                  onClick={() => setOpen({ remove: account })}
                />
              </div>
            ),
          },
        ]}
      />
      {open === "make" && <AccountDialog onClose={close} />}
      {open !== null && open !== "make" && "key" in open && (
        <KeyDialog accountId={open.key.id} onClose={close} />
      )}
      {open !== null && open !== "make" && "remove" in open && (
        <RemoveAccount account={open.remove} onClose={close} />
      )}
    </Card>
  );
}

function AccountDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("admin");
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [role, setRole] = useState<Role>("member");
  const deed = useDeed(makeAccount, { refresh: [ACCOUNTS], done: t("saved") });
  return (
    <FormDialog
      title={t("accounts.make")}
      submit={t("accounts.makeDeed")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() =>
        deed.mutate({ name: name.trim(), description: description.trim(), role }, { onSuccess: onClose })
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
      <TextField
        label={t("description")}
        maxLength={2000}
        value={description}
        onChange={(event) => setDescription(event.target.value)}
      />
      <RoleSelect value={role} onChange={setRole} />
    </FormDialog>
  );
}

function RemoveAccount({ account, onClose }: { account: ServiceAccount; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const deed = useDeed(removeAccount, { refresh: [ACCOUNTS, KEYS], done: t("accounts.removed") });
  return (
    <RemoveDialog
      title={t("accounts.remove", { name: account.name })}
      deed={t("common:delete")}
      busy={deed.isPending}
      error={deed.error}
      onConfirm={() => deed.mutate(account.id, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>{t("accounts.removeHint")}</p>
    </RemoveDialog>
  );
}
