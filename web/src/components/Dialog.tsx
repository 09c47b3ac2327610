import { X } from "lucide-react";
import { useEffect, useId, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "./Button";
import { classes } from "./classes";
import styles from "./Dialog.module.css";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the foot, the main one last. */
  actions?: ReactNode;
  /** `side` slides in from the end of the line, for what is looked at beside the page. */
  look?: "centre" | "wide" | "side";
}

/** A modal dialog; mounted means open. The browser keeps the focus within, gives it back, and closes on Escape. */
export function Dialog({ title, onClose, children, actions, look = "centre" }: Props) {
  const { t } = useTranslation();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={classes(styles["dialog"], styles[look])}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) {
          onClose();
        }
      }}
    >
      <div className={styles["card"]}>
        <header className={styles["head"]}>
          <h2 id={id} dir="auto">
            {title}
          </h2>
          <IconButton label={t("close")} icon={<X />} onClick={onClose} />
        </header>
        <div className={styles["body"]}>{children}</div>
        {actions && <footer className={styles["foot"]}>{actions}</footer>}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** The deed in a word: "Delete", never "OK". */
  deed: string;
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, deed, busy, onConfirm, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button look="danger" busy={busy} onClick={onConfirm}>
            {deed}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
