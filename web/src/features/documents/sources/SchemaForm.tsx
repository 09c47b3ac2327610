import { useTranslation } from "react-i18next";

import { Check, Select, TextArea, TextField } from "@/components/Field";
import { Said } from "@/components/Said";

import styles from "../documents.module.css";
import type { FormField, Values } from "./schema";

interface Props {
  fields: readonly FormField[];
  values: Values;
  onChange: (values: Values) => void;
  /** Secrets are there already; an empty field keeps them. */
  isStored: boolean;
}

/** A field for each setting of an adapter: a new adapter needs no new page. */
export function SchemaForm({ fields, values, onChange, isStored }: Props) {
  return (
    <div className={styles["form"]}>
      {fields.map((field) => (
        <Setting
          key={field.name}
          field={field}
          value={values[field.name] ?? ""}
          onChange={(value) => onChange({ ...values, [field.name]: value })}
          isStored={isStored}
        />
      ))}
    </div>
  );
}

interface SettingProps {
  field: FormField;
  value: string | boolean;
  onChange: (value: string | boolean) => void;
  isStored: boolean;
}

function Setting({ field, value, onChange, isStored }: SettingProps) {
  const { t } = useTranslation("documents");
  const { kind, required, property } = field;
  const title = t(`sources.settingName.${field.name}`, { defaultValue: field.title });
  const description = <Said text={field.description} />;
  if (kind === "switch") {
    return (
      <Check
        look="switch"
        label={title}
        hint={description}
        checked={value === true}
        onChange={({ target }) => onChange(target.checked)}
      />
    );
  }
  const text = String(value);
  const label = required ? title : t("sources.optional", { name: title });
  const shared = { label, hint: description, required: required && !isStored, value: text };
  if (kind === "list") {
    return (
      <TextArea
        {...shared}
        hint={
          <>
            {description} {t("sources.perLine")}
          </>
        }
        dir="ltr"
        rows={2}
        spellCheck={false}
        onChange={({ target }) => onChange(target.value)}
      />
    );
  }
  if (kind === "choice") {
    return (
      <Select
        {...shared}
        options={field.choices.map((choice) => ({ value: choice, label: choice }))}
        onChange={({ target }) => onChange(target.value)}
      />
    );
  }
  return (
    <TextField
      {...shared}
      dir="ltr"
      type={kind === "secret" ? "password" : kind === "number" ? "number" : "text"}
      autoComplete={kind === "secret" ? "new-password" : "off"}
      hint={
        kind === "secret" && isStored ? (
          <>
            {description} {t("sources.secretKept")}
          </>
        ) : (
          description
        )
      }
      min={property.minimum}
      max={property.maximum}
      step={kind === "number" ? (property.type === "integer" ? 1 : "any") : undefined}
      minLength={property.minLength}
      maxLength={property.maxLength}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}
