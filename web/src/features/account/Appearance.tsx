import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";
import { Card } from "@/components/Page";
import { useToasts } from "@/components/Toasts";
import { changeLanguage } from "@/lib/i18n";
import { isLanguage, LANGUAGES } from "@/lib/languages";
import { chooseTheme, THEMES, useTheme } from "@/lib/theme";

import styles from "./account.module.css";

export function Appearance() {
  const { t, i18n } = useTranslation("account");
  const tell = useToasts();
  const theme = useTheme();
  return (
    <Card title={t("appearance.title")}>
      <div className={styles["form"]}>
        <Select
          label={t("common:language")}
          value={i18n.language}
          onChange={({ target }) => {
            if (isLanguage(target.value)) {
              changeLanguage(target.value).catch(tell.failed);
            }
          }}
          options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        />
        <Select
          label={t("appearance.theme")}
          value={theme}
          onChange={({ target }) => chooseTheme(THEMES.find((each) => each === target.value) ?? "system")}
          options={THEMES.map((each) => ({ value: each, label: t(`appearance.${each}`) }))}
        />
      </div>
    </Card>
  );
}
