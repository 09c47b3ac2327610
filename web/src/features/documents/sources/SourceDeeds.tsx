import { Pause, Pencil, Play, RefreshCw, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button, IconButton } from "@/components/Button";
import { Confirm } from "@/components/Dialog";
import { Check } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import shared from "../documents.module.css";
import type { Connector } from "../types";
import { connectorDeeds, isSyncing, useConnectorDeed } from "./api";
import { ConnectorDialog } from "./ConnectorDialog";

interface Props {
  connector: Connector;
  /** In a row of the list: icons with their names as tooltips. */
  small?: boolean;
}

export function SourceDeeds({ connector, small = false }: Props) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [asking, setAsking] = useState<"edit" | "remove" | null>(null);
  const sync = useConnectorDeed((id: string) => connectorDeeds.sync(id));
  const pause = useConnectorDeed((paused: boolean) =>
    connectorDeeds.update(connector.id, { is_paused: paused }),
  );
  const onError = { onError: tell.failed };
  const name = connector.name;
  return (
    <div className={small ? shared["rowDeeds"] : shared["row"]}>
      <Deed
        small={small}
        label={t("sources.syncNow")}
        name={name}
        icon={<RefreshCw />}
        busy={sync.isPending || isSyncing(connector)}
        onPress={() =>
          sync.mutate(connector.id, { ...onError, onSuccess: () => tell.done(t("sources.syncing")) })
        }
      />
      <Deed
        small={small}
        label={t(connector.is_paused ? "sources.resume" : "sources.pause")}
        name={name}
        icon={connector.is_paused ? <Play /> : <Pause />}
        busy={pause.isPending}
        onPress={() => pause.mutate(!connector.is_paused, onError)}
      />
      <Deed
        small={small}
        label={t("sources.edit")}
        name={name}
        icon={<Pencil />}
        onPress={() => setAsking("edit")}
      />
      <Deed
        small={small}
        label={t("sources.remove")}
        name={name}
        icon={<Trash2 />}
        onPress={() => setAsking("remove")}
      />
      {asking === "edit" && <ConnectorDialog connector={connector} onClose={() => setAsking(null)} />}
      {asking === "remove" && <Remove connector={connector} onClose={() => setAsking(null)} />}
    </div>
  );
}

interface DeedProps {
  small: boolean;
  label: string;
  name: string;
  icon: ReactNode;
  busy?: boolean;
  onPress: () => void;
}

function Deed({ small, label, name, icon, busy = false, onPress }: DeedProps) {
  return small ? (
    <IconButton size="small" label={`${label}: ${name}`} icon={icon} busy={busy} onClick={onPress} />
  ) : (
    <Button icon={icon} busy={busy} onClick={onPress}>
      {label}
    </Button>
  );
}

function Remove({ connector, onClose }: { connector: Connector; onClose: () => void }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const navigate = useNavigate();
  const [withDocuments, setWithDocuments] = useState(false);
  const remove = useConnectorDeed(() => connectorDeeds.remove(connector.id, withDocuments));
  return (
    <Confirm
      title={t("sources.removeTitle", { name: connector.name })}
      deed={t("sources.remove")}
      busy={remove.isPending}
      onClose={onClose}
      onConfirm={() =>
        remove.mutate(undefined, {
          onSuccess: () => {
            tell.done(t("sources.removed"));
            onClose();
            void navigate("/documents/sources");
          },
        })
      }
    >
      <div className={shared["stack"]}>
        {remove.error && <ErrorNote error={remove.error} />}
        <p>{t("sources.removeMeans")}</p>
        <Check
          label={t("sources.withDocuments")}
          hint={t("sources.withDocumentsHint")}
          checked={withDocuments}
          onChange={({ target }) => setWithDocuments(target.checked)}
        />
      </div>
    </Confirm>
  );
}
