import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "./Button";
import { useToasts } from "./Toasts";

/** Copies a text, and says that it did. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation();
  const tell = useToasts();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      window.setTimeout(() => setCopied(false), 2_000);
    } catch {
      tell.failed(new Error(t("error.copy"))); // pages reached by plain http from another machine may not
    }
  };
  return (
    <IconButton
      label={copied ? t("copied") : (label ?? t("copy"))}
      icon={copied ? <Check /> : <Copy />}
      size="small"
      onClick={() => void copy()}
    />
  );
}
