import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Select } from "@/components/Field";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { useServiceAccounts } from "../keys/api";
import { Listing } from "../parts/Listing";
import type { Role } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { useDeed } from "../parts/useDeed";
import { useUsers } from "../users/api";
import { membersOf, removeMember, setMember, useMembers, type ChatbotOut } from "./api";

/** Who has a role on this chatbot beside the one in the tenant. */
export function Members({ chatbot: { id, access } }: { chatbot: ChatbotOut }) {
  const { t } = useTranslation("admin");
  const set = useDeed(setMember, { refresh: [membersOf(id)], done: t("saved") });
  const remove = useDeed(removeMember, { refresh: [membersOf(id)], done: t("members.removed") });
  const error = set.error ?? remove.error;
  return (
    <Card title={t("chatbots.tabs.members")}>
      <p className={styles["soft"]}>{t(access === "listed" ? "members.listedHint" : "members.hint")}</p>
      {error && <ErrorNote error={error} />}
      <Listing
        query={useMembers(id)}
        rowsOf={(answer) => answer.members}
        rowKey={(member) => member.id}
        caption={t("chatbots.tabs.members")}
        empty={<p className={styles["soft"]}>{t("members.none")}</p>}
        columns={[
          {
            key: "name",
            title: t("name"),
            cell: (member) => (
              <span className={styles["row"]}>
                <bdi>{member.name}</bdi>
                {member.kind !== "user" && <Badge>{t("accounts.one")}</Badge>}
              </span>
            ),
          },
          {
            key: "role",
            title: t("role"),
            cell: (member) => (
              <RoleSelect
                hideLabel
                label={t("users.roleOf", { name: member.name })}
                value={member.role}
                onChange={(role) => set.mutate({ id, member: member.id, role })}
              />
            ),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (member) => (
              <div className={styles["end"]}>
                <IconButton
                  size="small"
                  label={t("members.remove", { name: member.name })}
                  icon={<Trash2 />}
                  onClick={() => remove.mutate({ id, member: member.id })}
                />
              </div>
            ),
          },
        ]}
      />
      <AddMember onAdd={(member, role) => set.mutate({ id, member, role })} busy={set.isPending} />
    </Card>
  );
}

interface AddProps {
  onAdd: (member: string, role: Role) => void;
  busy: boolean;
}

function AddMember({ onAdd, busy }: AddProps) {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const { data: users } = useUsers(0, 200, can("users:manage"));
  const { data: accounts } = useServiceAccounts();
  const [member, setMember] = useState("");
  const [role, setRole] = useState<Role>("editor");
  const offered = [
    ...(users?.users ?? []).map((user) => ({ value: user.id, label: user.email })),
    ...(accounts?.service_accounts ?? []).map((account) => ({ value: account.id, label: account.name })),
  ];
  return (
    <form
      className={styles["two"]}
      onSubmit={(event) => {
        event.preventDefault();
        onAdd(member, role);
        setMember("");
      }}
    >
      <Select
        label={t("members.who")}
        required
        value={member}
        onChange={(event) => setMember(event.target.value)}
        options={[{ value: "", label: t("privacy.choose") }, ...offered]}
      />
      <RoleSelect value={role} onChange={setRole} />
      <div>
        <Button type="submit" busy={busy}>
          {t("members.add")}
        </Button>
      </div>
    </form>
  );
}
