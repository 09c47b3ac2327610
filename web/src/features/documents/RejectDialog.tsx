import { useState } from "react";
import { useTranslation } from "react-i18next";

import { TextArea } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";

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
  return (
    <FormDialog
      title={t("reject.title", { count })}
      submit={t("deed.reject")}
      danger
      busy={busy}
      ready={reason.trim() !== ""}
      onSubmit={() => onReject(reason.trim())}
      onClose={onClose}
    >
      <TextArea
        label={t("reject.reason")}
        hint={t("reject.hint")}
        required
        autoFocus
        maxLength={1000}
        value={reason}
        onChange={({ target }) => setReason(target.value)}
      />
    </FormDialog>
  );
}
