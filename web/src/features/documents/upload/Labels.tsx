import { useTranslation } from "react-i18next";

import { Select, TextField } from "@/components/Field";

import { CONTENT_TYPES, isOneOf } from "../types";
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
      <Select
        label={t("kind.label")}
        hint={t(`kind.hint.${options.contentType}`)}
        value={options.contentType}
        onChange={({ target }) => {
          if (isOneOf(CONTENT_TYPES, target.value)) {
            set({ contentType: target.value });
          }
        }}
        options={CONTENT_TYPES.map((value) => ({ value, label: t(`kind.${value}`) }))}
      />
      <TextField
        label={t("label.category")}
        hint={t("label.categoryHint")}
        maxLength={200}
        value={options.category}
        onChange={({ target }) => set({ category: target.value })}
      />
      <TextField
        label={t("label.tags")}
        hint={t("label.tagsHint")}
        maxLength={1000}
        value={options.tags}
        onChange={({ target }) => set({ tags: target.value })}
      />
    </div>
  );
}
