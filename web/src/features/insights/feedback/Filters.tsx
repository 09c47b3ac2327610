import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";

import type { Wanted } from "../api/feedback";
import styles from "../insights.module.css";

export const REASONS = [
  "incorrect",
  "incomplete",
  "outdated",
  "off_topic",
  "bad_citation",
  "not_answered",
  "harmful",
  "wrong_language",
  "hard_to_understand",
  "too_long",
  "other",
] as const;

const CHOICES = {
  rating: ["up", "down"],
  reason: REASONS,
  correction: ["open", "accepted", "rejected"],
  text: ["with", "without"],
  by: ["askers", "reviewers"],
} as const;

interface Props {
  wanted: Wanted;
  onChange: (changes: Partial<Record<keyof Wanted, string>>) => void;
}

export function Filters({ wanted, onChange }: Props) {
  const { t } = useTranslation("insights");
  return (
    <div className={styles["filters"]}>
      {(["rating", "reason", "correction", "text", "by"] as const).map((key) => (
        <Select
          key={key}
          label={t(`filter.${key}`)}
          value={wanted[key]}
          options={[
            { value: "", label: t("filter.all") },
            ...CHOICES[key].map((value) => ({
              value,
              label: t(key === "reason" ? `reason.${value}` : `filter.${value}`),
            })),
          ]}
          onChange={(event) => onChange({ [key]: event.target.value })}
        />
      ))}
    </div>
  );
}
