import { Gauge, RefreshCw, ThumbsDown, ThumbsUp } from "lucide-react";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { useToasts } from "@/components/Toasts";
import { useSession } from "@/lib/session";

import { useGiveFeedback, type Message } from "../api";
import type { Facts } from "../stream/events";
import { Alternatives } from "./Alternatives";
import { useConversation } from "./context";
import { FeedbackDialog } from "./FeedbackDialog";
import { HowMade } from "./HowMade";
import styles from "./Messages.module.css";

interface Props {
  message: Message;
  facts: Facts | null;
}

/** What can be done with an answer. */
export function Actions({ message, facts }: Props) {
  const { t } = useTranslation("chat");
  const { can } = useSession();
  const { isOpen, busy, ask } = useConversation();
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <>
      <div className={styles["actions"]}>
        <Alternatives message={message} />
        <CopyButton text={message.content} label={t("answer.copy")} />
        {isOpen && (
          <IconButton
            size="small"
            label={t("answer.regenerate")}
            icon={<RefreshCw />}
            disabled={busy}
            onClick={() => ask({ question: "", again: message.id })}
          />
        )}
        {can("feedback:give") && <Rating message={message} />}
        {facts && (
          <IconButton
            size="small"
            label={t("made.title")}
            icon={<Gauge />}
            aria-expanded={open}
            aria-controls={id}
            onClick={() => setOpen(!open)}
          />
        )}
      </div>
      <div id={id} hidden={!open}>
        {open && facts && <HowMade facts={facts} language={message.language} />}
      </div>
    </>
  );
}

function Rating({ message }: { message: Message }) {
  const { t } = useTranslation("chat");
  const tell = useToasts();
  const { sessionId } = useConversation();
  const give = useGiveFeedback(sessionId, message.id);
  const [telling, setTelling] = useState(false);
  const given = message.feedback ?? null;
  const rate = (rating: "up" | "down") => {
    if (given?.rating === rating) {
      give.mutate(null, { onSuccess: () => tell.done(t("feedback.withdrawn")), onError: tell.failed });
      return;
    }
    give.mutate(
      { rating, comment: "", correction: "", metadata: {} },
      {
        onSuccess: () => {
          tell.done(t("feedback.thanks"));
          setTelling(rating === "down");
        },
        onError: tell.failed,
      },
    );
  };
  return (
    <>
      <IconButton
        size="small"
        className={styles["thumb"]}
        label={t("feedback.up")}
        icon={<ThumbsUp />}
        aria-pressed={given?.rating === "up"}
        disabled={give.isPending}
        onClick={() => rate("up")}
      />
      <IconButton
        size="small"
        className={styles["thumb"]}
        label={t("feedback.down")}
        icon={<ThumbsDown />}
        aria-pressed={given?.rating === "down"}
        disabled={give.isPending}
        onClick={() => rate("down")}
      />
      {given && (
        <Button look="quiet" size="small" onClick={() => setTelling(true)}>
          {t(given.reason || given.comment || given.correction ? "feedback.change" : "feedback.more")}
        </Button>
      )}
      {telling && given && (
        <FeedbackDialog message={message} given={given} onClose={() => setTelling(false)} />
      )}
    </>
  );
}
