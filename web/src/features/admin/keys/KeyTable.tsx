import { Ban, RefreshCw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { Badge, Empty } from "@/components/Notes";
import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { RemoveDialog } from "../parts/RemoveDialog";
import { isAbove } from "../parts/roles";
import { useDeed } from "../parts/useDeed";
import { isLive, KEYS, revokeKey, useKeys, type Key } from "./api";
import { RotateDialog } from "./RotateDialog";

export function KeyTable() {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const { me } = useSession();
  const { chatbots } = useChatbot();
  const [offset, setOffset] = useState(0);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const [rotating, setRotating] = useState<Key | null>(null);
  const revoke = useDeed(revokeKey, { refresh: [KEYS], done: t("keys.revoked") });
  const when = (at: string | null) => (at ? formats.relative(at) : t("never"));
  return (
    <>
      <Listing
        query={useKeys(offset)}
        rowsOf={(answer) => answer.keys}
        rowKey={(key) => key.id}
        caption={t("keys.title")}
        empty={<Empty title={t("keys.none")} />}
        offset={offset}
        onOffset={setOffset}
        columns={[
          {
            key: "name",
            title: t("name"),
            cell: (key) => (
              <span className={styles["name"]}>
                <bdi>{key.name}</bdi>
                <small dir="ltr">{key.prefix}…</small>
              </span>
            ),
          },
          {
            key: "may",
            title: t("role"),
            cell: (key) => (
              <span className={styles["name"]} title={key.scopes?.join(", ")}>
                {t(`roles.${key.role}`)}
                <small>
                  {key.scopes && t("keys.scopeCount", { count: key.scopes.length })}{" "}
                  <bdi>{chatbots.find((each) => each.id === key.chatbot_id)?.name}</bdi>
                  {key.confined && ` (${t("keys.confinedShort")})`}
                </small>
              </span>
            ),
          },
          { key: "state", title: t("state"), cell: (key) => <KeyState value={key} /> },
          {
            key: "used",
            title: t("keys.lastUsed"),
            minor: true,
            cell: (key) => (
              <span className={styles["name"]}>
                {when(key.last_used_at)}
                <small dir="ltr">{key.last_used_address}</small>
              </span>
            ),
          },
          {
            key: "expires",
            title: t("keys.expires"),
            minor: true,
            cell: (key) => (key.expires_at ? formats.date(key.expires_at) : t("never")),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (key) =>
              isLive(key) &&
              !isAbove(key.role, me.role) && (
                <div className={styles["end"]}>
                  <IconButton
                    size="small"
                    label={t("keys.rotateOf", { name: key.name })}
                    icon={<RefreshCw />}
                    onClick={() => setRotating(key)}
                  />
                  <IconButton
                    size="small"
                    label={t("keys.revokeOf", { name: key.name })}
                    icon={<Ban />}
                    onClick={() => setRevoking(key)}
                  />
                </div>
              ),
          },
        ]}
      />
      {rotating && <RotateDialog value={rotating} onClose={() => setRotating(null)} />}
      {revoking && (
        <RemoveDialog
          title={t("keys.revokeOf", { name: revoking.name })}
          deed={t("keys.revoke")}
          busy={revoke.isPending}
          error={revoke.error}
          onConfirm={() => revoke.mutate(revoking.id, { onSuccess: () => setRevoking(null) })}
          onClose={() => setRevoking(null)}
        >
          <p>{t("keys.revokeHint")}</p>
        </RemoveDialog>
      )}
    </>
  );
}

function KeyState({ value }: { value: Key }) {
  const { t } = useTranslation("admin");
  if (value.revoked_at) {
    return <Badge tone="bad">{t("keys.isRevoked")}</Badge>;
  }
  return isLive(value) ? (
    <Badge tone="good">{t("keys.isLive")}</Badge>
  ) : (
    <Badge tone="warn">{t("keys.isExpired")}</Badge>
  );
}
