import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextArea } from "@/components/Field";

interface Props {
  count: number;
  busy: boolean;
  onReject: (reason: string) => void;
  onClose: () => void;
}

/** Asks why; the one who uploaded it reads the answer. */
export function RejectDialog({ count, busy, onReject, onClose }: Props) {
  const { t } = useTranslation("documents");
  const [reason, setReason] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onReject(reason.trim());
  };
  return (
    <Dialog
      title={t("reject.title", { count })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
          <Button
            look="danger"
            type="submit"
            form="reject-form"
            busy={busy}
            disabled={busy || reason.trim() === ""}
          >
            {t("deed.reject")}
          </Button>
        </>
      }
    >
      <form id="reject-form" onSubmit={submit}>
        <TextArea
          label={t("reject.reason")}
          hint={t("reject.hint")}
          required
          autoFocus
          maxLength={1000}
          value={reason}
          onChange={({ target }) => setReason(target.value)}
        />
      </form>
    </Dialog>
  );
}
