import { useId } from "react";
import { useTranslation } from "react-i18next";

import { Check, Select, TextArea, TextField } from "@/components/Field";

import { Hint } from "./Hint";
import { Pairs, Rows } from "./Rows";
import { isRecord, type FormField } from "./schema";
import { SchemaForm, type Surroundings } from "./SchemaForm";
import styles from "./SchemaForm.module.css";
import { faultOf } from "./values";

interface Props extends Surroundings {
  field: FormField;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** The control of one field: what it is follows from its schema alone. */
export function Control({ field, value, onChange, ...around }: Props) {
  const { t } = useTranslation();
  const { sentWhole = false } = around;
  const fault = faultOf(field, value);
  const label = around.labelOf?.(field.name) ?? field.title;
  const isNeeded = field.isRequired && !field.isNullable;
  const inherited = around.inherited?.[field.name];
  const unset = inherited ? t("form.inheritedIs", { value: inherited }) : t("form.inherited");
  const more = field.isSecret && around.secretsKept ? t("form.secretKept") : inherited && unset;
  const shared = {
    label: sentWhole
      ? isNeeded
        ? label
        : t("form.optional", { name: label })
      : isNeeded
        ? `${label} *`
        : label,
    required: sentWhole && isNeeded && !around.secretsKept,
    hint: field.description || more ? <Hint text={field.description} more={more} /> : undefined,
    error:
      fault && !(sentWhole && fault.key === "required")
        ? t(`form.faults.${fault.key}`, { limit: fault.count })
        : null,
  };
  switch (field.kind) {
    case "choice":
    case "switch":
      return field.kind === "switch" && !field.isNullable ? (
        <Check
          look="switch"
          label={label}
          hint={shared.hint}
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
      ) : (
        <Choice {...shared} field={field} value={value} unset={unset} onChange={onChange} />
      );
    case "integer":
    case "number":
      return (
        <TextField
          {...shared}
          className={sentWhole ? undefined : styles["narrow"]}
          dir={around.dir}
          type="number"
          min={field.bounds.minimum}
          max={field.bounds.maximum}
          step={field.kind === "integer" ? 1 : "any"}
          placeholder={field.isNullable ? unset : undefined}
          value={typeof value === "number" || typeof value === "string" ? String(value) : ""}
          onChange={({ target }) => onChange(numberOf(target.value, field))}
        />
      );
    case "text":
      return (
        <Text {...shared} field={field} value={value} unset={unset} onChange={onChange} around={around} />
      );
    case "list":
      return (
        <TextArea
          {...shared}
          hint={
            <>
              {shared.hint} {t("form.onePerLine")}
            </>
          }
          dir={around.dir ?? "auto"}
          spellCheck={around.dir === undefined}
          rows={Math.min(8, Math.max(2, Array.isArray(value) ? value.length + 1 : 2))}
          placeholder={field.isNullable ? unset : undefined}
          value={Array.isArray(value) ? value.join("\n") : ""}
          onChange={({ target }) => onChange(linesOf(target.value, field))}
          onBlur={() => onChange(Array.isArray(value) ? tidied(value, field) : value)}
        />
      );
    case "rows":
      return <Rows {...shared} field={field} value={value} onChange={onChange} {...around} />;
    case "pairs":
      return <Pairs {...shared} value={value} onChange={onChange} />;
    case "group":
      return (
        <fieldset>
          <legend className={styles["legend"]}>{label}</legend>
          <SchemaForm
            {...around}
            fields={field.fields}
            values={isRecord(value) ? value : {}}
            onChange={(name, inner) => onChange({ ...(isRecord(value) ? value : {}), [name]: inner })}
          />
        </fieldset>
      );
    case "json":
      return (
        <TextArea
          {...shared}
          dir="ltr"
          spellCheck={false}
          value={typeof value === "string" ? value : value === null ? "" : JSON.stringify(value)}
          onChange={({ target }) => onChange(jsonOf(target.value))}
        />
      );
  }
}

interface Shared {
  label: string;
  hint: React.ReactNode;
  error: string | null;
  required: boolean;
  field: FormField;
  value: unknown;
  /** What is said where nothing is chosen. */
  unset: string;
  onChange: (value: unknown) => void;
}

function Choice({ field, value, unset, onChange, ...shared }: Shared) {
  const { t } = useTranslation();
  const isSwitch = field.kind === "switch";
  const options = isSwitch
    ? [
        { value: "true", label: t("form.yes") },
        { value: "false", label: t("form.no") },
      ]
    : field.options.map((each) => ({ value: each, label: each }));
  return (
    <Select
      {...shared}
      className={styles["narrow"]}
      value={typeof value === "string" || typeof value === "boolean" ? String(value) : ""}
      onChange={({ target }) =>
        onChange(target.value === "" ? null : isSwitch ? target.value === "true" : target.value)
      }
      options={
        field.isNullable || field.default === null ? [{ value: "", label: unset }, ...options] : options
      }
    />
  );
}

function Text({ field, value, unset, onChange, around, ...shared }: Shared & { around: Surroundings }) {
  const id = useId();
  const text = typeof value === "string" ? value : "";
  const change = ({ target }: { target: { value: string } }) =>
    onChange(target.value === "" && field.isNullable ? null : target.value);
  const suggestions = around.suggestions?.[field.name];
  if ((field.bounds.maxLength ?? 0) >= 500) {
    return (
      <TextArea
        {...shared}
        placeholder={field.isNullable ? unset : undefined}
        value={text}
        onChange={change}
      />
    );
  }
  const isColour = field.bounds.pattern?.startsWith("^#[0-9a-fA-F]") ?? false;
  const input = (
    <TextField
      {...shared}
      className={around.sentWhole ? undefined : styles["narrow"]}
      dir={around.dir ?? "auto"}
      type={field.isSecret ? "password" : "text"}
      autoComplete={field.isSecret ? "new-password" : "off"}
      minLength={field.bounds.minLength}
      maxLength={around.sentWhole ? field.bounds.maxLength : undefined}
      spellCheck={false}
      placeholder={field.isNullable ? unset : undefined}
      list={suggestions ? id : undefined}
      value={text}
      onChange={change}
    />
  );
  return (
    <>
      {isColour ? (
        <div className={styles["colour"]}>
          {input}
          <input type="color" aria-label={shared.label} value={text} onChange={change} />
        </div>
      ) : (
        input
      )}
      {suggestions && (
        <datalist id={id}>
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  );
}

function numberOf(text: string, field: FormField): unknown {
  return text === "" ? (field.isNullable || field.default === null ? null : "") : Number(text);
}

function linesOf(text: string, field: FormField): unknown {
  return text === "" && field.isNullable ? null : text.split("\n");
}

function tidied(lines: readonly unknown[], field: FormField): unknown {
  const kept = lines.map((line) => String(line).trim()).filter(Boolean);
  return kept.length === 0 && field.isNullable ? null : kept;
}

function jsonOf(text: string): unknown {
  if (text.trim() === "") {
    return null;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text; // shown as a fault until it is whole
  }
}
