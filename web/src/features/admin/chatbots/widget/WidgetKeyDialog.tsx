import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, TextArea, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";

import { useDeed } from "../../parts/useDeed";
import { changeWidgetKey, makeWidgetKey, widgetKeysOf, type WidgetKey } from "../api";

interface Props {
  chatbotId: string;
  present: WidgetKey | null;
  onClose: () => void;
}

export function WidgetKeyDialog({ chatbotId, present, onClose }: Props) {
  const { t } = useTranslation("admin");
  const [name, setName] = useState(present?.name ?? "");
  const [origins, setOrigins] = useState((present?.origins ?? []).join("\n"));
  const [allowsNone, setAllowsNone] = useState(present?.allows_no_origin ?? false);
  const deed = useDeed(
    (body: { name: string; origins: string[]; allows_no_origin: boolean }): Promise<unknown> =>
      present
        ? changeWidgetKey({ id: chatbotId, key: present.id, ...body })
        : makeWidgetKey({ id: chatbotId, ...body }),
    { refresh: [widgetKeysOf(chatbotId)], done: t("saved") },
  );
  return (
    <FormDialog
      title={t(present ? "widget.change" : "widget.makeKey")}
      submit={t("common:save")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() =>
        deed.mutate(
          {
            name: name.trim(),
            origins: origins.split(/[\s,]+/).filter(Boolean),
            allows_no_origin: allowsNone,
          },
          { onSuccess: onClose },
        )
      }
      onClose={onClose}
    >
      <TextField
        label={t("name")}
        hint={t("widget.nameHint")}
        required
        autoFocus
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <TextArea
        label={t("widget.origins")}
        hint={t("widget.originsHint")}
        dir="ltr"
        rows={3}
        required={!allowsNone}
        placeholder="https://www.example.com"
        value={origins}
        onChange={(event) => setOrigins(event.target.value)}
      />
      <Check
        label={t("widget.noOrigin")}
        hint={t("widget.noOriginHint")}
        checked={allowsNone}
        onChange={(event) => setAllowsNone(event.target.checked)}
      />
    </FormDialog>
  );
}
