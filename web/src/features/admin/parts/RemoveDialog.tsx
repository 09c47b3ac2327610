import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";

import styles from "../admin.module.css";

interface Props {
  title: string;
  deed: string;
  /** What is lost with it. */
  children: ReactNode;
  /** For what hurts most: this has to be typed first. */
  typed?: string;
  busy: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back, and stays open with the reason where it is refused. */
export function RemoveDialog({ title, deed, children, typed, busy, error, onConfirm, onClose }: Props) {
  const { t } = useTranslation("admin");
  const [text, setText] = useState("");
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("common:cancel")}</Button>
          <Button
            look="danger"
            busy={busy}
            disabled={busy || (typed !== undefined && text.trim() !== typed.trim())}
            onClick={onConfirm}
          >
            {deed}
          </Button>
        </>
      }
    >
      <div className={styles["form"]}>
        {error != null && <ErrorNote error={error} />}
        {children}
        {typed !== undefined && (
          <TextField
            label={t("typeToConfirm", { name: typed })}
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </div>
    </Dialog>
  );
}
