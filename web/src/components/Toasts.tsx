import { X } from "lucide-react";
import { createContext, use, useCallback, useMemo, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "./Button";
import { classes } from "./classes";
import { useErrorText } from "./Notes";
import styles from "./Toasts.module.css";

interface Toast {
  key: number;
  text: string;
  tone: "good" | "bad";
}

interface Tell {
  /** Something was done; said for a few seconds. */
  done: (text: string) => void;
  /** Something went wrong where there is no better place to say it; stays until it is closed. */
  failed: (error: unknown) => void;
}

const GOOD_FOR_MS = 5_000;
const ToastContext = createContext<Tell | null>(null);

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const next = useRef(0);
  const remove = useCallback(
    (key: number) => setToasts((all) => all.filter((toast) => toast.key !== key)),
    [],
  );
  const tell = useMemo(() => {
    const add = (text: string, tone: Toast["tone"]) => {
      const key = next.current++;
      setToasts((all) => [...all.slice(-3), { key, text, tone }]);
      if (tone === "good") {
        window.setTimeout(() => remove(key), GOOD_FOR_MS);
      }
    };
    return {
      done: (text: string) => add(text, "good"),
      failed: (error: unknown) => add(errorText(error), "bad"),
    };
  }, [remove, errorText]);
  return (
    <ToastContext value={tell}>
      {children}
      <div className={styles["toasts"]} role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.key} className={classes(styles["toast"], styles[toast.tone])}>
            <p dir="auto">{toast.text}</p>
            <IconButton label={t("close")} icon={<X />} size="small" onClick={() => remove(toast.key)} />
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

export function useToasts(): Tell {
  const tell = use(ToastContext);
  if (tell === null) {
    throw new Error("useToasts belongs below ToastProvider");
  }
  return tell;
}
