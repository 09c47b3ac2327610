import { useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import type { Look } from "./look";
import styles from "./WidgetPreview.module.css";

/** The widget itself, in a frame that asks no server: it shows each change of the look, also what is not saved yet. */
export function WidgetPreview({ look, name }: { look: Look; name: string }) {
  const { t, i18n } = useTranslation("admin");
  const frame = useRef<HTMLIFrameElement>(null);
  const show = useCallback(() => {
    const { launcherText, ...rest } = look;
    const said = {
      settings: { ...rest, launcher_text: launcherText, chatbot_name: name },
      language: i18n.language,
      answer: t("widget.sampleAnswer"),
    };
    frame.current?.contentWindow?.postMessage(said, window.location.origin);
  }, [look, name, i18n.language, t]);
  useEffect(show, [show]);
  return (
    <iframe
      key={i18n.language}
      ref={frame}
      className={styles["frame"]}
      src="/widget-preview"
      title={t("widget.previewOf", { title: look.title || name })}
      onLoad={show}
    />
  );
}
