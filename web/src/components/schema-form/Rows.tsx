import { Plus, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { TextField } from "@/components/Field";

import { Control } from "./Control";
import { isRecord, type FormField } from "./schema";
import type { Surroundings } from "./SchemaForm";
import styles from "./SchemaForm.module.css";

interface Shared {
  label: string;
  hint: ReactNode;
  error: string | null;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** A list of objects, such as the terms of a glossary. */
export function Rows({
  field,
  label,
  hint,
  error,
  value,
  onChange,
  ...around
}: Shared & { field: FormField } & Surroundings) {
  const { t } = useTranslation();
  const rows = Array.isArray(value) ? value.filter(isRecord) : [];
  const set = (at: number, row: Record<string, unknown>) =>
    onChange(rows.map((each, index) => (index === at ? row : each)));
  const blank = Object.fromEntries(field.fields.map((each) => [each.name, each.default]));
  return (
    <fieldset className={styles["rows"]}>
      <legend className={styles["legend"]}>{label}</legend>
      {hint}
      {rows.map((row, at) => (
        <div
          key={at}
          className={styles["row"]}
          role="group"
          aria-label={t("form.row", { name: label, at: at + 1 })}
        >
          {field.fields.map((each) => (
            <Control
              key={each.name}
              {...around}
              field={{ ...each, description: "" }}
              value={row[each.name]}
              onChange={(inner) => set(at, { ...row, [each.name]: inner })}
            />
          ))}
          <div>
            <Button
              look="quiet"
              size="small"
              icon={<Trash2 />}
              onClick={() => onChange(rows.filter((_, index) => index !== at))}
            >
              {t("form.removeRow")}
            </Button>
          </div>
        </div>
      ))}
      {error && (
        <p className={styles["error"]} role="alert">
          {error}
        </p>
      )}
      <div>
        <Button size="small" icon={<Plus />} onClick={() => onChange([...rows, blank])}>
          {t("form.addRow")}
        </Button>
      </div>
    </fieldset>
  );
}

/** Texts by name, such as translations by language. Kept as rows while somebody types, so that a name may be unfinished. */
export function Pairs({ label, hint, value, onChange }: Shared) {
  const { t } = useTranslation();
  const [pairs, setPairs] = useState<readonly (readonly [string, string])[]>(() =>
    isRecord(value) ? Object.entries(value).map(([key, text]) => [key, String(text)] as const) : [],
  );
  const set = (next: readonly (readonly [string, string])[]) => {
    setPairs(next);
    onChange(
      Object.fromEntries(next.filter(([key]) => key.trim() !== "").map(([key, text]) => [key.trim(), text])),
    );
  };
  const put = (at: number, pair: readonly [string, string]) =>
    set(pairs.map((each, index) => (index === at ? pair : each)));
  return (
    <fieldset className={styles["rows"]}>
      <legend className={styles["legend"]}>{label}</legend>
      {hint}
      {pairs.map(([key, text], at) => (
        <div key={at} className={styles["pair"]}>
          <TextField
            label={t("form.pairKey")}
            dir="ltr"
            value={key}
            onChange={({ target }) => put(at, [target.value, text])}
          />
          <TextField
            label={t("form.pairText")}
            value={text}
            onChange={({ target }) => put(at, [key, target.value])}
          />
          <IconButton
            label={t("form.removeRow")}
            icon={<Trash2 />}
            onClick={() => set(pairs.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      <div>
        <Button size="small" icon={<Plus />} onClick={() => set([...pairs, ["", ""]])}>
          {t("form.addRow")}
        </Button>
      </div>
    </fieldset>
  );
}
