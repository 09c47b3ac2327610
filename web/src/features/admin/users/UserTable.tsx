import { Trash2, UserCheck, UserX } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { RemoveDialog } from "../parts/RemoveDialog";
import { isAbove } from "../parts/roles";
import { RoleSelect } from "../parts/RoleSelect";
import { useDeed } from "../parts/useDeed";
import { changeUser, removeUser, USERS, useUsers, type User } from "./api";

export function UserTable() {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const { me } = useSession();
  const [offset, setOffset] = useState(0);
  const [removing, setRemoving] = useState<User | null>(null);
  const change = useDeed(changeUser, { refresh: [USERS], done: t("saved") });
  const remove = useDeed(removeUser, { refresh: [USERS], done: t("users.removed") });
  const isOpen = (user: User) => user.id !== me.user_id && !isAbove(user.role, me.role);
  return (
    <>
      {change.error && <ErrorNote error={change.error} />}
      <Listing
        query={useUsers(offset)}
        rowsOf={(answer) => answer.users}
        rowKey={(user) => user.id}
        caption={t("users.title")}
        empty={<Empty title={t("users.none")} />}
        offset={offset}
        onOffset={setOffset}
        columns={[
          {
            key: "name",
            title: t("users.who"),
            cell: (user) => (
              <span className={styles["name"]}>
                <bdi>{user.display_name || user.email}</bdi>
                {user.display_name && (
                  <small>
                    <bdi>{user.email}</bdi>
                  </small>
                )}
              </span>
            ),
          },
          {
            key: "role",
            title: t("role"),
            cell: (user) => (
              <RoleSelect
                label={t("users.roleOf", { name: user.email })}
                hideLabel
                disabled={!isOpen(user)}
                value={user.role}
                onChange={(role) => change.mutate({ id: user.id, role })}
              />
            ),
          },
          {
            key: "state",
            title: t("state"),
            cell: (user) => <State user={user} isMe={user.id === me.user_id} />,
          },
          {
            key: "seen",
            title: t("users.lastSignIn"),
            minor: true,
            cell: (user) => (user.last_sign_in_at ? formats.relative(user.last_sign_in_at) : t("never")),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (user) =>
              isOpen(user) && (
                <div className={styles["end"]}>
                  <IconButton
                    size="small"
                    label={t(user.is_active ? "users.deactivate" : "users.activate", { name: user.email })}
                    icon={user.is_active ? <UserX /> : <UserCheck />}
                    onClick={() => change.mutate({ id: user.id, is_active: !user.is_active })}
                  />
                  <IconButton
                    size="small"
                    label={t("users.remove", { name: user.email })}
                    icon={<Trash2 />}
                    onClick={() => setRemoving(user)}
                  />
                </div>
              ),
          },
        ]}
      />
      {removing && (
        <RemoveDialog
          title={t("users.remove", { name: removing.email })}
          deed={t("users.removeDeed")}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate(removing.id, { onSuccess: () => setRemoving(null) })}
          onClose={() => setRemoving(null)}
        >
          <p>{t("users.removeHint")}</p>
        </RemoveDialog>
      )}
    </>
  );
}

function State({ user, isMe }: { user: User; isMe: boolean }) {
  const { t } = useTranslation("admin");
  return (
    <span className={styles["row"]}>
      {isMe && <Badge tone="accent">{t("users.you")}</Badge>}
      <Badge tone={user.is_active ? "good" : "neutral"}>
        {t(user.is_active ? "users.active" : "users.inactive")}
      </Badge>
      {!user.has_password && <Badge>{t("users.noPassword")}</Badge>}
    </span>
  );
}
