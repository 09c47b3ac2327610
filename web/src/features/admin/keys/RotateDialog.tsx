import { useState } from "react";
import { useTranslation } from "react-i18next";

import { TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";

import { SecretDialog } from "../parts/SecretDialog";
import { useDeed } from "../parts/useDeed";
import { KEYS, rotateKey, type Key } from "./api";

export function RotateDialog({ value, onClose }: { value: Key; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const [hours, setHours] = useState("24");
  const deed = useDeed(rotateKey, { refresh: [KEYS] });
  return deed.data ? (
    <SecretDialog
      title={t("keys.made", { name: value.name })}
      hint={t("keys.secretHint")}
      secret={deed.data.api_key}
      onClose={onClose}
    />
  ) : (
    <FormDialog
      title={t("keys.rotateOf", { name: value.name })}
      submit={t("keys.rotate")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() => deed.mutate({ id: value.id, grace_hours: Number(hours) })}
      onClose={onClose}
    >
      <TextField
        label={t("keys.grace")}
        hint={t("keys.graceHint")}
        type="number"
        min={0}
        max={720}
        required
        value={hours}
        onChange={(event) => setHours(event.target.value)}
      />
    </FormDialog>
  );
}
