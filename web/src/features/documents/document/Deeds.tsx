import { Ban, Download, Ellipsis, Lock, RefreshCw, Trash2, Upload, Users } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Menu, type MenuItem } from "@/components/Menu";
import { useToasts } from "@/components/Toasts";
import { useSession } from "@/lib/session";

import { deeds, download, useDeed } from "../api";
import { DeleteDialog } from "../DeleteDialog";
import { shownState } from "../live/fold";
import { useLive } from "../live/LiveProvider";
import { useMayChange } from "../rights";
import type { Document } from "../types";
import { ReplaceDialog } from "./ReplaceDialog";
import { ReprocessDialog } from "./ReprocessDialog";
import { otherSide, VisibilityDialog } from "./VisibilityDialog";

type Asking = "replace" | "reprocess" | "visibility" | "delete";

export function Deeds({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const navigate = useNavigate();
  const { rows } = useLive();
  const { can } = useSession();
  const mayChange = useMayChange()(document);
  const side = otherSide(document);
  // A connector says of its documents who sees them; only who uploaded one would find it again among its own.
  const mayShow =
    can("documents:manage") && document.connector_id === null && (side === "shared" || document.is_own);
  const [asking, setAsking] = useState<Asking | null>(null);
  const cancel = useDeed(deeds.cancel);
  const { state, working } = shownState(document, rows);
  const isRead = working !== null || state === "queued" || state === "processing";
  const close = () => setAsking(null);
  const more: MenuItem[] = [
    {
      label: t("deed.reprocess"),
      icon: <RefreshCw />,
      onSelect: () => setAsking("reprocess"),
      disabled: isRead,
    },
    ...(mayShow
      ? [
          {
            label: t(`visibility.${side}Deed`),
            icon: side === "private" ? <Lock /> : <Users />,
            onSelect: () => setAsking("visibility"),
            disabled: isRead || document.approval !== "approved",
          },
        ]
      : []),
    {
      label: t("delete", { ns: "common" }),
      icon: <Trash2 />,
      danger: true,
      onSelect: () => setAsking("delete"),
    },
  ];
  return (
    <>
      {mayChange && isRead && (
        <Button
          icon={<Ban aria-hidden />}
          busy={cancel.isPending}
          onClick={() => cancel.mutate(document.id, { onError: tell.failed })}
        >
          {t("deed.cancel")}
        </Button>
      )}
      <Button
        icon={<Download aria-hidden />}
        onClick={() => void download(document.id, document.file_name).catch(tell.failed)}
      >
        {t("deed.download")}
      </Button>
      {mayChange && (
        <>
          <Button icon={<Upload aria-hidden />} onClick={() => setAsking("replace")}>
            {t("deed.replace")}
          </Button>
          <Menu label={t("deed.more")} icon={<Ellipsis />} items={more} />
        </>
      )}
      {asking === "replace" && <ReplaceDialog document={document} onClose={close} />}
      {asking === "reprocess" && <ReprocessDialog document={document} onClose={close} />}
      {asking === "visibility" && <VisibilityDialog document={document} onClose={close} />}
      {asking === "delete" && (
        <DeleteDialog
          documents={[document]}
          onClose={close}
          onEnd={({ failed }) => {
            const [first] = failed;
            if (first) {
              tell.failed(first.error);
            } else {
              tell.done(t("delete.done", { count: 1 }));
              void navigate("/documents");
            }
          }}
        />
      )}
    </>
  );
}
