import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Check, Select, TextField } from "@/components/Field";
import { useFormats } from "@/lib/format";

import { useAskedLanguages } from "./api/analytics";
import { dayOf, SPANS } from "./data/range";
import styles from "./insights.module.css";
import type { useView, View } from "./view";

interface Props {
  view: View;
  onChange: ReturnType<typeof useView>["change"];
  tab: string;
}

/** Which time and language the pages are about, and whether they keep up with what happens. */
export function RangeBar({ view, onChange, tab }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { range, language } = view;
  const asked = useAskedLanguages(view);
  const languages = [...new Set([...asked, ...(language === "" ? [] : [language])])];
  return (
    <div className={styles["rangeBar"]}>
      {tab !== "system" && (
        <Select
          label={t("range.label")}
          value={range.span}
          options={SPANS.map((span) => ({ value: span, label: t(`range.${span}`) }))}
          onChange={(event) => {
            const own = event.target.value === "own";
            onChange({ range: event.target.value, from: own ? range.from : "", to: own ? range.to : "" });
          }}
        />
      )}
      {tab !== "system" && range.span === "own" && <OwnDays view={view} onChange={onChange} />}
      {(tab === "overview" || tab === "questions" || tab === "feedback") && (
        <Select
          label={t("range.language")}
          value={language}
          options={[
            { value: "", label: t("range.allLanguages") },
            ...languages.map((code) => ({ value: code, label: formats.languageName(code) })),
          ]}
          onChange={(event) => onChange({ language: event.target.value })}
        />
      )}
      <Check
        look="switch"
        label={t("range.live")}
        className={styles["live"]}
        checked={view.refresh !== false}
        onChange={(event) => onChange({ live: event.target.checked ? "1" : "" })}
      />
    </div>
  );
}

function OwnDays({ view, onChange }: Omit<Props, "tab">) {
  const { t } = useTranslation("insights");
  const [from, setFrom] = useState(view.range.from);
  const [to, setTo] = useState(view.range.to);
  const [today] = useState(() => dayOf(Date.now()));
  return (
    <form
      className={styles["ownDays"]}
      onSubmit={(event) => {
        event.preventDefault();
        onChange({ from, to });
      }}
    >
      <TextField
        label={t("range.from")}
        type="date"
        required
        max={to}
        value={from}
        onChange={(event) => setFrom(event.target.value)}
      />
      <TextField
        label={t("range.to")}
        type="date"
        required
        min={from}
        max={today}
        value={to}
        onChange={(event) => setTo(event.target.value)}
      />
      <Button type="submit">{t("range.show")}</Button>
    </form>
  );
}
