import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Select, TextArea } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import { useGiveFeedback, type Feedback, type Given, type Message } from "../api";
import { useConversation } from "./context";
import styles from "./Messages.module.css";

type Reason = NonNullable<Feedback["reason"]>;

const REASONS = [
  "incorrect",
  "incomplete",
  "outdated",
  "off_topic",
  "bad_citation",
  "not_answered",
  "wrong_language",
  "hard_to_understand",
  "too_long",
  "harmful",
  "other",
] as const satisfies readonly Reason[];
const COMMENT_CHARACTERS = 4000;
const CORRECTION_CHARACTERS = 8000;

interface Props {
  message: Message;
  given: Given;
  onClose: () => void;
}

/** What somebody thinks of an answer beside thumbs: why, in own words, and the right answer. */
export function FeedbackDialog({ message, given, onClose }: Props) {
  const { t } = useTranslation("chat");
  const tell = useToasts();
  const { sessionId } = useConversation();
  const give = useGiveFeedback(sessionId, message.id);
  const [reason, setReason] = useState<Reason | null>(REASONS.find((one) => one === given.reason) ?? null);
  const [comment, setComment] = useState(given.comment);
  const [correction, setCorrection] = useState(given.correction);
  const isDown = given.rating === "down";
  const send = (feedback: Feedback | null) =>
    give.mutate(feedback, {
      onSuccess: () => {
        tell.done(t(feedback === null ? "feedback.withdrawn" : "feedback.saved"));
        onClose();
      },
    });
  return (
    <Dialog
      title={t(isDown ? "feedback.whatIsWrong" : "feedback.whatIsGood")}
      onClose={onClose}
      actions={
        <>
          <Button look="danger" disabled={give.isPending} onClick={() => send(null)}>
            {t("feedback.takeBack")}
          </Button>
          <Button
            look="primary"
            busy={give.isPending}
            onClick={() =>
              send({
                rating: isDown ? "down" : "up",
                reason: isDown ? reason : null,
                comment,
                correction,
                metadata: {},
              })
            }
          >
            {t("feedback.send")}
          </Button>
        </>
      }
    >
      <div className={styles["feedback"]}>
        {give.error && <ErrorNote error={give.error} />}
        {isDown && (
          <Select
            label={t("feedback.reason")}
            value={reason ?? ""}
            onChange={(event) => setReason(REASONS.find((one) => one === event.target.value) ?? null)}
            options={[
              { value: "", label: t("feedback.noReason") },
              ...REASONS.map((one) => ({ value: one, label: t(`feedback.reasons.${one}`) })),
            ]}
          />
        )}
        <TextArea
          label={t("feedback.comment")}
          maxLength={COMMENT_CHARACTERS}
          rows={3}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
        {isDown && (
          <TextArea
            label={t("feedback.correction")}
            hint={t("feedback.correctionHint")}
            maxLength={CORRECTION_CHARACTERS}
            value={correction}
            onChange={(event) => setCorrection(event.target.value)}
          />
        )}
      </div>
    </Dialog>
  );
}
