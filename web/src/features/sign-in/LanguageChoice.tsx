import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";
import { useToasts } from "@/components/Toasts";
import { changeLanguage } from "@/lib/i18n";
import { isLanguage, LANGUAGES } from "@/lib/languages";

export function LanguageChoice() {
  const { t, i18n } = useTranslation("sign-in");
  const tell = useToasts();
  return (
    <Select
      label={t("language")}
      hideLabel
      value={i18n.language}
      onChange={({ target }) => {
        if (isLanguage(target.value)) {
          changeLanguage(target.value).catch(tell.failed);
        }
      }}
      options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
    />
  );
}
