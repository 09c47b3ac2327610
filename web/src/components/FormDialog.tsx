import { useId, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "./Button";
import { Dialog } from "./Dialog";
import styles from "./FormDialog.module.css";
import { ErrorNote } from "./Notes";

interface Props {
  title: string;
  /** The deed in a word or two. */
  submit: string;
  busy: boolean;
  /** It may be sent. */
  ready?: boolean;
  /** It destroys something. */
  danger?: boolean;
  error?: unknown;
  look?: "centre" | "wide";
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** A form in a dialog: Enter sends it, and what the server says against it stands above the fields. */
export function FormDialog(props: Props) {
  const {
    title,
    submit,
    busy,
    ready = true,
    danger = false,
    error,
    look,
    onSubmit,
    onClose,
    children,
  } = props;
  const { t } = useTranslation();
  const id = useId();
  return (
    <Dialog
      title={title}
      look={look}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            type="submit"
            form={id}
            look={danger ? "danger" : "primary"}
            busy={busy}
            disabled={busy || !ready}
          >
            {submit}
          </Button>
        </>
      }
    >
      <form
        id={id}
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        {error != null && <ErrorNote error={error} />}
        {children}
      </form>
    </Dialog>
  );
}
