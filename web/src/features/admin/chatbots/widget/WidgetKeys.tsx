import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";

import styles from "../../admin.module.css";
import { RemoveDialog } from "../../parts/RemoveDialog";
import { Copyable } from "../../parts/SecretDialog";
import { useDeed } from "../../parts/useDeed";
import { revokeWidgetKey, useWidgetKeys, widgetKeysOf, type WidgetKey } from "../api";
import { embedTag } from "./look";
import { WidgetKeyDialog } from "./WidgetKeyDialog";

export function WidgetKeys({ chatbotId }: { chatbotId: string }) {
  const { t } = useTranslation("admin");
  const { data, error, refetch } = useWidgetKeys(chatbotId);
  const [editing, setEditing] = useState<WidgetKey | "new" | null>(null);
  const [revoking, setRevoking] = useState<WidgetKey | null>(null);
  const revoke = useDeed(revokeWidgetKey, { refresh: [widgetKeysOf(chatbotId)], done: t("keys.revoked") });
  return (
    <Card
      title={t("widget.keys")}
      actions={
        <Button size="small" icon={<Plus />} onClick={() => setEditing("new")}>
          {t("widget.makeKey")}
        </Button>
      }
    >
      <p className={styles["soft"]}>{t("widget.keysHint")}</p>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Spinner label={t("common:loading")} />}
      {data?.widget_keys.length === 0 && <Empty title={t("widget.noKeys")} />}
      {data?.widget_keys.map((key) => (
        <OneKey key={key.id} value={key} onEdit={() => setEditing(key)} onRevoke={() => setRevoking(key)} />
      ))}
      {editing !== null && (
        <WidgetKeyDialog
          chatbotId={chatbotId}
          present={editing === "new" ? null : editing}
          onClose={() => setEditing(null)}
        />
      )}
      {revoking && (
        <RemoveDialog
          title={t("keys.revokeOf", { name: revoking.name })}
          deed={t("keys.revoke")}
          busy={revoke.isPending}
          error={revoke.error}
          onConfirm={() =>
            revoke.mutate({ id: chatbotId, key: revoking.id }, { onSuccess: () => setRevoking(null) })
          }
          onClose={() => setRevoking(null)}
        >
          <p>{t("widget.revokeHint")}</p>
        </RemoveDialog>
      )}
    </Card>
  );
}

interface OneProps {
  value: WidgetKey;
  onEdit: () => void;
  onRevoke: () => void;
}

function OneKey({ value, onEdit, onRevoke }: OneProps) {
  const { t } = useTranslation("admin");
  const { relative } = useFormats();
  const origins = [...value.origins, ...(value.allows_no_origin ? [t("widget.noOrigin")] : [])];
  return (
    <article className={styles["form"]}>
      <div className={styles["row"]}>
        <h3 dir="auto">{value.name}</h3>
        <Badge tone={value.revoked_at ? "bad" : "good"}>
          {t(value.revoked_at ? "keys.isRevoked" : "keys.isLive")}
        </Badge>
        <span className={styles["small"]}>
          {t("keys.lastUsed")}: {value.last_used_at ? relative(value.last_used_at) : t("never")}
        </span>
        {!value.revoked_at && (
          <>
            <Button size="small" aria-label={t("widget.changeKey", { name: value.name })} onClick={onEdit}>
              {t("widget.change")}
            </Button>
            <Button
              size="small"
              look="danger"
              aria-label={t("keys.revokeOf", { name: value.name })}
              onClick={onRevoke}
            >
              {t("keys.revoke")}
            </Button>
          </>
        )}
      </div>
      <p className={styles["small"]}>
        <bdi>{origins.join(", ")}</bdi>
      </p>
      {!value.revoked_at && (
        <Copyable text={embedTag(window.location.origin, value.public_key)} label={t("widget.copyTag")} />
      )}
    </article>
  );
}
