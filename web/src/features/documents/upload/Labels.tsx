import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";

import { LabelFields } from "../LabelFields";
import type { Options } from "./uploads";
import styles from "./upload.module.css";

interface Props {
  options: Options;
  onChange: (options: Options) => void;
  mayShare: boolean;
}

/** Who sees it, what it is, and how it is labelled. */
export function Labels({ options, onChange, mayShare }: Props) {
  const { t } = useTranslation("documents");
  const set = (change: Partial<Options>) => onChange({ ...options, ...change });
  return (
    <div className={styles["labels"]}>
      <Select
        label={t("visibility.label")}
        hint={t(mayShare ? "visibility.hint" : "visibility.onlyPrivate")}
        value={options.visibility}
        onChange={({ target }) => set({ visibility: target.value === "private" ? "private" : "shared" })}
        options={[
          { value: "shared", label: t("visibility.shared"), disabled: !mayShare },
          { value: "private", label: t("visibility.private") },
        ]}
      />
      <LabelFields labels={options} onChange={set} explained />
    </div>
  );
}
