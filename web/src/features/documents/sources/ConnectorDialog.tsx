import { useQuery } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Select, TextField } from "@/components/Field";
import { ErrorNote, Note } from "@/components/Notes";
import { fieldsOf, named, requiredFirst } from "@/components/schema-form/schema";
import { SchemaForm } from "@/components/schema-form/SchemaForm";
import { begun, settingsOf, type Values } from "@/components/schema-form/values";
import { Spinner } from "@/components/Spinner";
import { useToasts } from "@/components/Toasts";
import { useChatbot } from "@/lib/session";

import styles from "../documents.module.css";
import { LabelFields, labelsOf, storedOf } from "../LabelFields";
import type { Connector } from "../types";
import { connectorDeeds, kindsQuery, useConnectorDeed } from "./api";
import { INTERVALS, intervalName } from "./intervals";

interface Props {
  /** The one that is changed; null: a new one. */
  connector: Connector | null;
  onClose: () => void;
}

export function ConnectorDialog({ connector, onClose }: Props) {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const tell = useToasts();
  const navigate = useNavigate();
  const kinds = useQuery(kindsQuery(chatbot?.id));
  const [kind, setKind] = useState(connector?.kind ?? "website");
  const [name, setName] = useState(connector?.name ?? "");
  const [visibility, setVisibility] = useState(connector?.visibility ?? "shared");
  const [labels, setLabels] = useState(() => labelsOf(connector));
  const [interval, setInterval] = useState(connector ? connector.interval_s : 3600);
  const [onVanished, setOnVanished] = useState(connector?.on_vanished ?? "delete");
  const [values, setValues] = useState<Values>({});

  const chosen = kinds.data?.find((each) => each.name === kind);
  const fields = chosen ? requiredFirst(fieldsOf(chosen.settings_schema)) : null;
  const stored = connector?.settings ?? null;
  const shown = { ...begun(fields ?? [], stored ?? {}), ...values };

  const save = useConnectorDeed((settings: Record<string, unknown>) => {
    const given = {
      ...storedOf(labels),
      name: name.trim(),
      interval_s: interval,
      on_vanished: onVanished,
    };
    return connector === null
      ? connectorDeeds.create({ ...given, kind, settings, visibility, chatbot_id: chatbot?.id ?? null })
      : connectorDeeds.update(connector.id, {
          ...given,
          ...(Object.keys(settings).length > 0 && { settings }),
        });
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    save.mutate(settingsOf(fields ?? [], shown, stored), {
      onSuccess: (saved) => {
        tell.done(t(connector === null ? "sources.created" : "sources.saved"));
        onClose();
        void navigate(`/documents/sources/${saved.id}`);
      },
    });
  };
  return (
    <Dialog
      title={t(connector === null ? "sources.add" : "sources.edit")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
          <Button
            look="primary"
            type="submit"
            form="connector-form"
            busy={save.isPending}
            disabled={save.isPending || !(chosen?.is_installed ?? connector !== null)}
          >
            {t(connector === null ? "sources.create" : "sources.save")}
          </Button>
        </>
      }
    >
      <form id="connector-form" className={styles["form"]} onSubmit={submit}>
        {connector === null && (
          <Select
            label={t("sources.kind")}
            value={kind}
            onChange={({ target }) => {
              setKind(target.value);
              setValues({});
            }}
            options={(kinds.data ?? []).map((each) => ({
              value: each.name,
              label: t(`sources.kindName.${each.name}`, { defaultValue: each.name }),
            }))}
          />
        )}
        <TextField
          label={t("imports.name")}
          required
          maxLength={200}
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
        {kinds.isPending && <Spinner label={t("loading", { ns: "common" })} />}
        {kinds.error && <ErrorNote error={kinds.error} onRetry={() => void kinds.refetch()} />}
        {chosen && !chosen.is_installed && (
          <Note tone="warn">
            <p>{t("sources.notInstalled", { extras: chosen.extras.join(", ") })}</p>
          </Note>
        )}
        {fields && (
          <SchemaForm
            fields={fields}
            values={shown}
            onChange={(changed, value) => setValues((all) => ({ ...all, [changed]: value }))}
            labelOf={(setting) => t(`sources.settingName.${setting}`, { defaultValue: named(setting) })}
            sentWhole
            secretsKept={connector !== null}
            dir="ltr"
          />
        )}
        <Select
          label={t("sources.interval")}
          value={interval ?? ""}
          onChange={({ target }) => setInterval(target.value === "" ? null : Number(target.value))}
          options={[...new Set([...INTERVALS, interval])].map((each) => ({
            value: each === null ? "" : String(each),
            label: intervalName(t, each),
          }))}
        />
        <Select
          label={t("sources.onVanished")}
          value={onVanished}
          onChange={({ target }) => setOnVanished(target.value === "keep" ? "keep" : "delete")}
          options={(["delete", "keep"] as const).map((value) => ({
            value,
            label: t(`sources.vanished.${value}`),
          }))}
        />
        {connector === null && (
          <Select
            label={t("visibility.label")}
            value={visibility}
            onChange={({ target }) => setVisibility(target.value === "private" ? "private" : "shared")}
            options={(["shared", "private"] as const).map((value) => ({
              value,
              label: t(`visibility.${value}`),
            }))}
          />
        )}
        <LabelFields labels={labels} onChange={(change) => setLabels({ ...labels, ...change })} />
        {save.error && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  );
}
