import { useId, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/Notes";

import styles from "../admin.module.css";

interface Props {
  title: string;
  /** The deed in a word or two. */
  submit: string;
  busy: boolean;
  error: unknown;
  look?: "centre" | "wide";
  onSubmit: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** A form in a dialog: Enter sends it, and what the server says against it stands above the fields. */
export function FormDialog({ title, submit, busy, error, look, onSubmit, onClose, children }: Props) {
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
          <Button type="submit" form={id} look="primary" busy={busy}>
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
