import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Confirm, Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import { useChangeSession, useDeleteSession, type Session } from "../api";
import styles from "./Sessions.module.css";

const TITLE_CHARACTERS = 200;

interface Props {
  session: Session;
  onClose: () => void;
}

export function RenameSession({ session, onClose }: Props) {
  const { t } = useTranslation("chat");
  const [title, setTitle] = useState(session.title);
  const change = useChangeSession(session.id);
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    change.mutate({ title: title.trim() }, { onSuccess: onClose });
  };
  return (
    <Dialog title={t("sessions.rename")} onClose={onClose}>
      <form onSubmit={submit} className={styles["form"]}>
        {change.error && <ErrorNote error={change.error} />}
        <TextField
          label={t("sessions.name")}
          value={title}
          maxLength={TITLE_CHARACTERS}
          required
          autoFocus
          onChange={(event) => setTitle(event.target.value)}
        />
        <div className={styles["deeds"]}>
          <Button onClick={onClose}>{t("common:cancel")}</Button>
          <Button
            type="submit"
            look="primary"
            busy={change.isPending}
            disabled={title.trim() === "" || undefined}
          >
            {t("common:save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function DeleteSession({ session, isActive, onClose }: Props & { isActive: boolean }) {
  const { t } = useTranslation("chat");
  const navigate = useNavigate();
  const tell = useToasts();
  const remove = useDeleteSession(session.id);
  const confirm = () =>
    remove.mutate(undefined, {
      onSuccess: () => {
        tell.done(t("sessions.deleted"));
        onClose();
        if (isActive) {
          void navigate("/chat");
        }
      },
    });
  return (
    <Confirm
      title={t("sessions.deleteTitle")}
      deed={t("common:delete")}
      busy={remove.isPending}
      onConfirm={confirm}
      onClose={onClose}
    >
      {remove.error && <ErrorNote error={remove.error} />}
      <p dir="auto">{t("sessions.deleteText", { title: session.title || t("sessions.untitled") })}</p>
    </Confirm>
  );
}
