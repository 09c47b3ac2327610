import { RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Badge } from "@/components/Notes";

import { Control } from "./Control";
import type { FormField } from "./schema";
import styles from "./SchemaForm.module.css";
import { same, type Values } from "./values";

/** What the place of a form knows beyond the schema. */
export interface Surroundings {
  /** What a field is called in the language of the interface, where that is known. */
  labelOf?: (name: string) => string | undefined;
  /** Values to choose among, for texts that name something. */
  suggestions?: Readonly<Record<string, readonly string[]>>;
  /** What holds where a field is empty. */
  inherited?: Readonly<Record<string, string>>;
  /** The form is sent as a whole: what is missing is said then, and what may be left out is marked. */
  sentWhole?: boolean;
  /** Secrets are there already; an empty field keeps them. */
  secretsKept?: boolean;
  /** Of the texts, where they are paths, addresses and names of machines. */
  dir?: "ltr";
}

interface Props extends Surroundings {
  fields: readonly FormField[];
  values: Values;
  onChange: (name: string, value: unknown) => void;
  /** Offers to bring a default back. */
  onReset?: (name: string) => void;
  /** Fields that are not at their default. */
  own?: ReadonlySet<string>;
  /** Fields with a change that is not saved. */
  changed?: ReadonlySet<string>;
}

export function SchemaForm({ fields, values, onChange, onReset, own, changed, ...around }: Props) {
  return (
    <div className={styles["fields"]}>
      {fields.map((field) => (
        <div key={field.name} className={styles["setting"]} data-setting={field.name}>
          <Control
            field={field}
            value={values[field.name]}
            onChange={(value) => onChange(field.name, value)}
            {...around}
          />
          <State
            field={field}
            label={around.labelOf?.(field.name) ?? field.title}
            isChanged={changed?.has(field.name) ?? false}
            onReset={
              onReset && (own?.has(field.name) || !same(values[field.name], field.default))
                ? () => onReset(field.name)
                : undefined
            }
          />
        </div>
      ))}
    </div>
  );
}

interface StateProps {
  field: FormField;
  label: string;
  isChanged: boolean;
  onReset: (() => void) | undefined;
}

function State({ field, label, isChanged, onReset }: StateProps) {
  const { t } = useTranslation();
  if (!isChanged && !onReset) {
    return null;
  }
  return (
    <div className={styles["state"]}>
      {isChanged && <Badge tone="warn">{t("form.unsaved")}</Badge>}
      {onReset && (
        <Button
          look="quiet"
          size="small"
          icon={<RotateCcw />}
          aria-label={t("form.resetField", { name: label })}
          onClick={onReset}
        >
          {t("form.reset")} {shortly(field.default) && <code>{shortly(field.default)}</code>}
        </Button>
      )}
    </div>
  );
}

function shortly(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value).slice(0, 40)
    : "";
}
