import { useQuery } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Select, TextArea, TextField } from "@/components/Field";
import { ErrorNote, Note } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useToasts } from "@/components/Toasts";
import { ApiError } from "@/lib/api";
import { useChatbot } from "@/lib/session";

import styles from "../documents.module.css";
import { CONTENT_TYPES, isOneOf, type Connector } from "../types";
import { tagsOf } from "../words";
import { connectorDeeds, kindsQuery, useConnectorDeed } from "./api";
import { INTERVALS, intervalName } from "./intervals";
import { SchemaForm } from "./SchemaForm";
import { fieldsOf, settingsOf, valuesOf, type Values } from "./schema";

interface Props {
  /** The one that is changed; null: a new one. */
  connector: Connector | null;
  onClose: () => void;
}

const KINDS = ["website", "folder", "s3"] as const;

export function ConnectorDialog({ connector, onClose }: Props) {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const tell = useToasts();
  const navigate = useNavigate();
  const kinds = useQuery({ ...kindsQuery, retry: false });
  const [kind, setKind] = useState(connector?.kind ?? "website");
  const [name, setName] = useState(connector?.name ?? "");
  const [visibility, setVisibility] = useState(connector?.visibility ?? "shared");
  const [contentType, setContentType] = useState(connector?.content_type ?? "document");
  const [category, setCategory] = useState(connector?.category ?? "");
  const [tags, setTags] = useState(connector?.tags.join(", ") ?? "");
  const [interval, setInterval] = useState(connector ? connector.interval_s : 3600);
  const [onVanished, setOnVanished] = useState(connector?.on_vanished ?? "delete");
  const [values, setValues] = useState<Values>({});
  const [raw, setRaw] = useState("{}");
  const [rawError, setRawError] = useState<string | null>(null);

  const chosen = kinds.data?.find((each) => each.name === kind);
  const fields = chosen ? fieldsOf(chosen.settings_schema) : null;
  const stored = connector?.settings ?? null;
  const shown = { ...valuesOf(fields ?? [], stored ?? {}), ...values };
  const mayNotSee = kinds.error instanceof ApiError && [403, 404].includes(kinds.error.status);

  const save = useConnectorDeed((settings: Record<string, unknown>) => {
    const labels = {
      name: name.trim(),
      content_type: isOneOf(CONTENT_TYPES, contentType) ? contentType : ("document" as const),
      category: category.trim(),
      tags: tagsOf(tags),
      interval_s: interval,
      on_vanished: onVanished,
    };
    return connector === null
      ? connectorDeeds.create({ ...labels, kind, settings, visibility, chatbot_id: chatbot?.id ?? null })
      : connectorDeeds.update(connector.id, {
          ...labels,
          ...(Object.keys(settings).length > 0 && { settings }),
        });
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const settings = fields ? settingsOf(fields, shown, stored) : objectOf(raw);
    setRawError(settings === null ? t("sources.notJson") : null);
    if (settings !== null) {
      save.mutate(settings, {
        onSuccess: (saved) => {
          tell.done(t(connector === null ? "sources.created" : "sources.saved"));
          onClose();
          void navigate(`/documents/sources/${saved.id}`);
        },
      });
    }
  };
  const names = kinds.data?.map((each) => each.name) ?? KINDS;
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
            disabled={save.isPending || chosen?.is_installed === false}
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
            options={names.map((value) => ({
              value,
              label: t(`sources.kindName.${value}`, { defaultValue: value }),
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
        {kinds.error && !mayNotSee && <ErrorNote error={kinds.error} onRetry={() => void kinds.refetch()} />}
        {chosen && !chosen.is_installed && (
          <Note tone="warn">
            <p>{t("sources.notInstalled", { extras: chosen.extras.join(", ") })}</p>
          </Note>
        )}
        {fields && (
          <SchemaForm fields={fields} values={shown} onChange={setValues} isStored={connector !== null} />
        )}
        {mayNotSee && (
          <TextArea
            label={t("sources.settings")}
            hint={t(connector === null ? "sources.settingsHint" : "sources.settingsChangeHint")}
            error={rawError}
            dir="ltr"
            spellCheck={false}
            value={raw}
            onChange={({ target }) => setRaw(target.value)}
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
        <Select
          label={t("kind.label")}
          value={contentType}
          onChange={({ target }) => setContentType(target.value)}
          options={CONTENT_TYPES.map((value) => ({ value, label: t(`kind.${value}`) }))}
        />
        <TextField
          label={t("label.category")}
          maxLength={200}
          value={category}
          onChange={({ target }) => setCategory(target.value)}
        />
        <TextField
          label={t("label.tags")}
          hint={t("label.tagsHint")}
          value={tags}
          onChange={({ target }) => setTags(target.value)}
        />
        {save.error && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  );
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
