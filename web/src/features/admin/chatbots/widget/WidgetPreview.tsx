import { MessageCircle, Send } from "lucide-react";
import type { CSSProperties } from "react";
import { useTranslation } from "react-i18next";

import { classes } from "@/components/classes";
import { MarkdownLater } from "@/components/MarkdownLater";

import { inkOn, type Look } from "./look";
import styles from "./WidgetPreview.module.css";

/** The widget as visitors would see it, drawn anew with each change; nothing of it can be pressed. */
export function WidgetPreview({ look, name }: { look: Look; name: string }) {
  const { t } = useTranslation("admin");
  const colours = { "--widget-accent": look.accent, "--widget-ink": inkOn(look.accent) } as CSSProperties;
  return (
    <div
      className={classes(styles["site"], styles[look.theme], look.position === "start" && styles["start"])}
      style={colours}
      role="img"
      aria-label={t("widget.previewOf", { title: look.title || name })}
    >
      <div className={styles["panel"]} aria-hidden="true">
        <div className={styles["head"]} dir="auto">
          {look.title || name}
        </div>
        <div className={styles["talk"]}>
          <div className={styles["said"]}>
            <MarkdownLater>{look.greeting || t("widget.greeting")}</MarkdownLater>
          </div>
          {look.suggestions.slice(0, 3).map((each) => (
            <span key={each} className={styles["suggestion"]} dir="auto">
              {each}
            </span>
          ))}
          <div className={styles["asked"]}>{t("widget.sampleQuestion")}</div>
        </div>
        <div className={styles["ask"]}>
          {t("widget.placeholder")} <Send />
        </div>
      </div>
      <div className={styles["launcher"]} aria-hidden="true">
        <MessageCircle />
        {look.launcherText && <span dir="auto">{look.launcherText}</span>}
      </div>
    </div>
  );
}
