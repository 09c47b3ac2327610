import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, RefreshCw, RotateCcw, Tags, Trash2, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Progress } from "@/components/Notes";
import { useSession } from "@/lib/session";

import { deeds } from "../api";
import { DeleteDialog } from "../DeleteDialog";
import { RejectDialog } from "../RejectDialog";
import type { Document } from "../types";
import { doAll, type BulkResult } from "./bulk";
import { BulkLabels } from "./BulkLabels";
import styles from "./list.module.css";

interface Props {
  documents: readonly Document[];
  onNone: () => void;
  onEnd: (result: BulkResult<Document>) => void;
}

type Asking = "delete" | "reject" | "labels";

/** Deeds on all that is chosen. */
export function BulkBar({ documents, onNone, onEnd }: Props) {
  const { t } = useTranslation("documents");
  const { can } = useSession();
  const cache = useQueryClient();
  const [asking, setAsking] = useState<Asking | null>(null);
  const [ended, setEnded] = useState(0);
  const run = useMutation({
    mutationFn: (deed: (document: Document) => Promise<unknown>) => {
      setEnded(0);
      setAsking(null);
      return doAll(documents, deed, setEnded);
    },
    onSuccess: (done) => {
      void cache.invalidateQueries({ queryKey: ["documents"] });
      onEnd(done);
    },
  });
  const some = (holds: (document: Document) => boolean) => documents.some(holds);
  const busy = run.isPending;
  return (
    <div className={styles["bulk"]} role="region" aria-label={t("bulk.label")}>
      <strong role="status">{t("bulk.chosen", { count: documents.length })}</strong>
      {can("documents:manage") && some(({ approval }) => approval === "pending") && (
        <>
          <Button
            size="small"
            icon={<Check aria-hidden />}
            disabled={busy}
            onClick={() => run.mutate(({ id }) => deeds.approve(id))}
          >
            {t("deed.approve")}
          </Button>
          <Button size="small" icon={<X aria-hidden />} disabled={busy} onClick={() => setAsking("reject")}>
            {t("deed.reject")}
          </Button>
        </>
      )}
      {some(({ state }) => state === "failed" || state === "cancelled") && (
        <Button
          size="small"
          icon={<RotateCcw aria-hidden />}
          disabled={busy}
          onClick={() => run.mutate(({ id }) => deeds.retry(id))}
        >
          {t("deed.retry")}
        </Button>
      )}
      <Button size="small" icon={<Tags aria-hidden />} disabled={busy} onClick={() => setAsking("labels")}>
        {t("deed.label")}
      </Button>
      <Button
        size="small"
        icon={<RefreshCw aria-hidden />}
        disabled={busy}
        onClick={() => run.mutate(({ id }) => deeds.reprocess(id))}
      >
        {t("deed.reprocess")}
      </Button>
      <Button
        size="small"
        look="danger"
        icon={<Trash2 aria-hidden />}
        disabled={busy}
        onClick={() => setAsking("delete")}
      >
        {t("delete", { ns: "common" })}
      </Button>
      <Button size="small" look="quiet" disabled={busy} onClick={onNone}>
        {t("bulk.none")}
      </Button>
      {busy && <Progress label={t("bulk.progress")} value={ended / documents.length} />}
      {asking === "delete" && (
        <DeleteDialog documents={documents} onClose={() => setAsking(null)} onEnd={onEnd} />
      )}
      {asking === "reject" && (
        <RejectDialog
          count={documents.length}
          busy={busy}
          onReject={(reason) => run.mutate(({ id }) => deeds.reject(id, reason))}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "labels" && (
        <BulkLabels
          count={documents.length}
          busy={busy}
          onChange={(changeOf) => run.mutate((document) => deeds.change(document.id, changeOf(document)))}
          onClose={() => setAsking(null)}
        />
      )}
    </div>
  );
}
