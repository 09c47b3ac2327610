import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Select, TextField } from "@/components/Field";
import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import { connectorsQuery } from "../sources/api";
import { CONTENT_TYPES, isOneOf } from "../types";
import { APPROVALS, SOURCES, type Filters } from "./filters";
import styles from "./list.module.css";

/** Those that documents are mostly written in; any other code in the address works as well. */
const LANGUAGES =
  "ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split(" ");
const SCORES = [0.5, 0.7, 0.8, 0.9] as const;

interface Props {
  filters: Filters;
  onChange: (change: Partial<Filters>) => void;
}

export function FilterFields({ filters, onChange }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const any = { value: "", label: t("filter.any") };
  const languages = [...new Set([...LANGUAGES, filters.language])].filter(Boolean);
  return (
    <div className={styles["fields"]}>
      <Choice
        label={t("kind.label")}
        value={filters.content_type}
        values={CONTENT_TYPES}
        name={(value) => t(`kind.${value}`)}
        onChange={(content_type) => onChange({ content_type })}
      />
      <Select
        label={t("filter.language")}
        value={filters.language}
        onChange={({ target }) => onChange({ language: target.value })}
        options={[
          any,
          ...languages
            .map((value) => ({ value, label: formats.languageName(value) }))
            .toSorted((one, other) => one.label.localeCompare(other.label)),
        ]}
      />
      <Choice
        label={t("visibility.label")}
        value={filters.visibility}
        values={["shared", "private"] as const}
        name={(value) => t(`visibility.${value}`)}
        onChange={(visibility) => onChange({ visibility })}
      />
      <Choice
        label={t("filter.source")}
        value={filters.source}
        values={SOURCES}
        name={(value) => t(`source.${value}`)}
        onChange={(source) => onChange({ source })}
      />
      <Choice
        label={t("filter.approval")}
        value={filters.approval}
        values={APPROVALS}
        name={(value) => t(`approval.${value}`)}
        onChange={(approval) => onChange({ approval })}
      />
      <Select
        label={t("filter.quality")}
        value={filters.min_quality ?? ""}
        onChange={({ target }) => onChange({ min_quality: Number(target.value) || null })}
        options={[
          any,
          ...SCORES.map((score) => ({
            value: String(score),
            label: t("filter.atLeast", { score: formats.percent(score) }),
          })),
        ]}
      />
      <Written
        label={t("label.category")}
        value={filters.category}
        onChange={(category) => onChange({ category })}
      />
      <Written label={t("filter.tag")} value={filters.tag} onChange={(tag) => onChange({ tag })} />
      <TextField
        label={t("filter.after")}
        type="date"
        max={filters.uploaded_before || undefined}
        value={filters.uploaded_after}
        onChange={({ target }) => onChange({ uploaded_after: target.value })}
      />
      <TextField
        label={t("filter.before")}
        type="date"
        min={filters.uploaded_after || undefined}
        value={filters.uploaded_before}
        onChange={({ target }) => onChange({ uploaded_before: target.value })}
      />
      <Connectors value={filters.connector_id} onChange={(connector_id) => onChange({ connector_id })} />
    </div>
  );
}

function Connectors({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const { t } = useTranslation("documents");
  const { can } = useSession();
  const { chatbot } = useChatbot();
  const { data } = useQuery({
    ...connectorsQuery(chatbot?.id ?? "", 0),
    enabled: chatbot !== null && can("documents:manage"),
  });
  const connectors = data?.connectors ?? [];
  return connectors.length === 0 ? null : (
    <Select
      label={t("filter.connector")}
      value={value}
      onChange={({ target }) => onChange(target.value)}
      options={[
        { value: "", label: t("filter.any") },
        ...connectors.map(({ id, name }) => ({ value: id, label: name })),
      ]}
    />
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T | null;
  values: readonly T[];
  name: (value: T) => string;
  onChange: (value: T | null) => void;
}

function Choice<T extends string>({ label, value, values, name, onChange }: ChoiceProps<T>) {
  const { t } = useTranslation("documents");
  return (
    <Select
      label={label}
      value={value ?? ""}
      onChange={({ target }) => onChange(isOneOf(values, target.value) ? target.value : null)}
      options={[
        { value: "", label: t("filter.any") },
        ...values.map((each) => ({ value: each, label: name(each) })),
      ]}
    />
  );
}

/** A word that filters once it is whole: on Enter, or when one leaves the field. */
function Written({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    setText(value);
  }
  const take = () => {
    if (text.trim() !== value) {
      onChange(text.trim());
    }
  };
  return (
    <TextField
      label={label}
      value={text}
      onChange={({ target }) => setText(target.value)}
      onBlur={take}
      onKeyDown={({ key }) => {
        if (key === "Enter") {
          take();
        }
      }}
    />
  );
}
