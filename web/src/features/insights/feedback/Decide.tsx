import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextArea } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import { useDecide, type FeedbackItem } from "../api/feedback";
import styles from "../insights.module.css";

interface Props {
  item: FeedbackItem;
  onClose: () => void;
}

/** Makes a correction knowledge, in its own words or in better ones. */
export function AcceptDialog({ item, onClose }: Props) {
  const { t } = useTranslation("insights");
  const { t: common } = useTranslation();
  const tell = useToasts();
  const { accept } = useDecide(item.id);
  const [question, setQuestion] = useState(item.question ?? "");
  const [answer, setAnswer] = useState(item.correction);
  const store = () =>
    accept.mutate(
      { question: question.trim() || null, answer: answer.trim() || null },
      {
        onSuccess: (made) => {
          tell.done(t(made.waits_for_approval ? "accept.waits" : "accept.done"));
          onClose();
        },
      },
    );
  return (
    <Dialog
      title={t("accept.title")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button look="primary" busy={accept.isPending} disabled={answer.trim() === ""} onClick={store}>
            {t("feedback.accept")}
          </Button>
        </>
      }
    >
      <div className={styles["stack"]}>
        <p>{t("accept.lead")}</p>
        <TextArea
          label={t("accept.question")}
          rows={2}
          value={question}
          onChange={(event) => setQuestion(event.target.value)}
        />
        <TextArea
          label={t("accept.answer")}
          value={answer}
          onChange={(event) => setAnswer(event.target.value)}
        />
        {accept.error && <ErrorNote error={accept.error} />}
      </div>
    </Dialog>
  );
}

export function RejectDialog({ item, onClose }: Props) {
  const { t } = useTranslation("insights");
  const { t: common } = useTranslation();
  const tell = useToasts();
  const { reject } = useDecide(item.id);
  const [note, setNote] = useState("");
  const store = () =>
    reject.mutate(note.trim(), {
      onSuccess: () => {
        tell.done(t("rejected.done"));
        onClose();
      },
    });
  return (
    <Dialog
      title={t("rejected.title")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button look="danger" busy={reject.isPending} onClick={store}>
            {t("feedback.reject")}
          </Button>
        </>
      }
    >
      <div className={styles["stack"]}>
        <p>{t("rejected.lead")}</p>
        <TextArea label={t("rejected.note")} value={note} onChange={(event) => setNote(event.target.value)} />
        {reject.error && <ErrorNote error={reject.error} />}
      </div>
    </Dialog>
  );
}
