import { Check, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Note } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import { useSession } from "@/lib/session";

import { deeds, useDeed } from "../api";
import shared from "../documents.module.css";
import { shownState } from "../live/fold";
import { useLive } from "../live/LiveProvider";
import { RejectDialog } from "../RejectDialog";
import { useMayChange } from "../rights";
import { AskAbout, Retry, StateBadge } from "../State";
import { STEPS, type Document, type Status } from "../types";
import { Steps } from "./Steps";

interface Props {
  document: Document;
  status: Status | undefined;
}

/** How the document stands, said first: what is under way, why it failed and what to do, or who has to decide. */
export function Standing({ document, status }: Props) {
  const { t } = useTranslation("documents");
  const { rows } = useLive();
  const mayChange = useMayChange()(document);
  const { state, working } = shownState(document, rows);
  const isRead = working !== null || state === "queued" || state === "processing";
  const hasFailed = !isRead && status?.error != null && status.state !== "processing";
  return (
    <div className={shared["stack"]}>
      <div className={shared["row"]} role="status">
        <StateBadge state={state} />
        {state === "ready" && <AskAbout id={document.id} />}
        {state === "ready" && isRead && <span className={shared["small"]}>{t("servesOld")}</span>}
      </div>
      {isRead && (
        <Steps
          steps={status?.steps ?? STEPS.map((name) => ({ name, state: "waiting" }))}
          step={working?.step ?? status?.step ?? "waiting"}
          progress={working?.progress ?? status?.progress ?? 0}
        />
      )}
      {hasFailed && (
        <Note tone="bad">
          <p dir="auto" role="alert">
            {status.error}
            {state === "ready" && ` ${t("servesStill")}`}
          </p>
          {mayChange && <Retry id={document.id} />}
        </Note>
      )}
      {!isRead && document.approval === "pending" && <Decision document={document} />}
      {document.approval === "rejected" && document.approval_reason && (
        <Note tone="warn">
          <p dir="auto">{t("rejectedBecause", { reason: document.approval_reason })}</p>
        </Note>
      )}
    </div>
  );
}

function Decision({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const { can } = useSession();
  const tell = useToasts();
  const [rejecting, setRejecting] = useState(false);
  const approve = useDeed(deeds.approve);
  const reject = useDeed((reason: string) => deeds.reject(document.id, reason));
  return (
    <Note tone="warn">
      <p>{t(document.state === "ready" ? "newVersionWaits" : "waitsForApproval")}</p>
      {can("documents:manage") && (
        <div className={shared["row"]}>
          <Button size="small" icon={<X aria-hidden />} onClick={() => setRejecting(true)}>
            {t("deed.reject")}
          </Button>
          <Button
            size="small"
            look="primary"
            icon={<Check aria-hidden />}
            busy={approve.isPending}
            onClick={() =>
              approve.mutate(document.id, {
                onSuccess: () => tell.done(t("approved")),
                onError: tell.failed,
              })
            }
          >
            {t("deed.approve")}
          </Button>
        </div>
      )}
      {rejecting && (
        <RejectDialog
          count={1}
          busy={reject.isPending}
          onReject={(reason) =>
            reject.mutate(reason, { onSuccess: () => setRejecting(false), onError: tell.failed })
          }
          onClose={() => setRejecting(false)}
        />
      )}
    </Note>
  );
}
