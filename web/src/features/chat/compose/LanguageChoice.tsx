import { Languages } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";
import { useFormats } from "@/lib/format";

import type { Session } from "../api";
import styles from "./Composer.module.css";

const CODES =
  "ar bg ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv th tr uk vi zh".split(
    " ",
  );

export function languageOf(session: Session): string | null {
  const chosen = session.settings["language"];
  return typeof chosen === "string" ? chosen : null;
}

interface Props {
  value: string | null;
  onChange: (language: string | null) => void;
}

/** Answers come in the question's language; this one is taken where a question leaves it open. */
export function LanguageChoice({ value, onChange }: Props) {
  const { t } = useTranslation("chat");
  const { languageName } = useFormats();
  const named = CODES.map((code) => ({ value: code, label: languageName(code) }));
  return (
    <div className={styles["language"]} title={t("compose.languageHint")}>
      <Languages aria-hidden="true" />
      <Select
        label={t("compose.language")}
        hideLabel
        value={value ?? ""}
        onChange={(event) => onChange(event.target.value || null)}
        options={[
          { value: "", label: t("compose.languageAuto") },
          ...named.sort((one, other) => one.label.localeCompare(other.label)),
        ]}
      />
    </div>
  );
}
