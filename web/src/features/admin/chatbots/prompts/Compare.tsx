import { useState } from "react";
import { useTranslation } from "react-i18next";

import { classes } from "@/components/classes";
import { Dialog } from "@/components/Dialog";
import { Select } from "@/components/Field";

import styles from "../../admin.module.css";
import type { Template } from "../api";
import chatbotStyles from "../chatbots.module.css";
import { diffOf } from "./diff";

interface Props {
  versions: readonly Template[];
  first: Template;
  second: Template;
  onClose: () => void;
}

export function Compare({ versions, first, second, onClose }: Props) {
  const { t } = useTranslation("admin");
  const [before, setBefore] = useState(first);
  const [after, setAfter] = useState(second);
  const options = versions.map(({ version }) => ({
    value: String(version),
    label: version === 0 ? t("prompts.builtIn") : t("prompts.version", { version }),
  }));
  const one = (version: string) => versions.find((each) => String(each.version) === version) ?? first;
  return (
    <Dialog title={t("prompts.compare")} look="wide" onClose={onClose}>
      <div className={styles["form"]}>
        <div className={styles["two"]}>
          <Select
            label={t("audit.before")}
            options={options}
            value={String(before.version)}
            onChange={({ target }) => setBefore(one(target.value))}
          />
          <Select
            label={t("audit.after")}
            options={options}
            value={String(after.version)}
            onChange={({ target }) => setAfter(one(target.value))}
          />
        </div>
        <div
          className={chatbotStyles["diff"]}
          dir="auto"
          tabIndex={0}
          role="region"
          aria-label={t("prompts.compare")}
        >
          {diffOf(before.text, after.text).map(({ sign, text }, at) => (
            <div
              key={at}
              className={classes(
                sign === "+" && chatbotStyles["added"],
                sign === "-" && chatbotStyles["removed"],
              )}
            >
              {sign} {text}
            </div>
          ))}
        </div>
      </div>
    </Dialog>
  );
}
