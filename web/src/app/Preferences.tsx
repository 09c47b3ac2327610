import { Languages, Moon, Sun, SunMoon } from "lucide-react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { Menu } from "@/components/Menu";
import { useToasts } from "@/components/Toasts";
import { changeLanguage } from "@/lib/i18n";
import { isLanguage, LANGUAGES } from "@/lib/languages";
import { chooseTheme, THEMES, useTheme } from "@/lib/theme";

import styles from "./Preferences.module.css";

const ICONS = { system: <SunMoon />, light: <Sun />, dark: <Moon /> };

/** The language of the interface, and light or dark. */
export function Preferences() {
  const { t } = useTranslation();
  const tell = useToasts();
  const theme = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  return (
    <div className={styles["row"]}>
      <Menu
        label={t("language")}
        icon={<Languages />}
        items={Object.entries(LANGUAGES).map(([code, name]) => ({
          label: name,
          onSelect: () => {
            if (isLanguage(code)) {
              changeLanguage(code).catch(tell.failed);
            }
          },
        }))}
      />
      <IconButton
        size="small"
        label={t(`theme.${theme}`)}
        icon={ICONS[theme]}
        onClick={() => chooseTheme(next)}
      />
    </div>
  );
}
