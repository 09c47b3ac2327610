import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import { useSelectBranch, type Message } from "../api";
import { useConversation } from "./context";
import styles from "./Messages.module.css";

/** Leads through what was said in a message's place: earlier wordings of a question, other answers to it. */
export function Alternatives({ message }: { message: Message }) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const { sessionId, busy } = useConversation();
  const tell = useToasts();
  const select = useSelectBranch(sessionId);
  const all = message.alternatives ?? [];
  const at = all.indexOf(message.id);
  if (all.length < 2 || at < 0) {
    return null;
  }
  const go = (step: number) => {
    const to = all[at + step];
    if (to !== undefined) {
      select.mutate(to, { onError: tell.failed });
    }
  };
  return (
    <div className={styles["alternatives"]} role="group" aria-label={t("alternatives.label")}>
      <IconButton
        size="small"
        label={t("alternatives.previous")}
        icon={<ChevronLeft className={styles["mirrored"]} />}
        disabled={busy || at === 0 || select.isPending}
        onClick={() => go(-1)}
      />
      <span>{t("alternatives.place", { place: number(at + 1), total: number(all.length) })}</span>
      <IconButton
        size="small"
        label={t("alternatives.next")}
        icon={<ChevronRight className={styles["mirrored"]} />}
        disabled={busy || at === all.length - 1 || select.isPending}
        onClick={() => go(1)}
      />
    </div>
  );
}
