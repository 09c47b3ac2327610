import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { Dialog } from "@/components/Dialog";
import { Note } from "@/components/Notes";

import styles from "../admin.module.css";

interface Props {
  title: string;
  /** What to do with it, and that it is not shown again. */
  hint: string;
  secret: string;
  onClose: () => void;
}

/** Something that is shown this once, to be copied. */
export function SecretDialog({ title, hint, secret, onClose }: Props) {
  const { t } = useTranslation("admin");
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <Button look="primary" onClick={onClose}>
          {t("secretKept")}
        </Button>
      }
    >
      <div className={styles["form"]}>
        <Note tone="warn">
          <p>{hint}</p>
        </Note>
        <Copyable text={secret} />
      </div>
    </Dialog>
  );
}

/** A text in type of one width with a button that copies it. */
export function Copyable({ text, label }: { text: string; label?: string }) {
  return (
    <div className={styles["copyable"]}>
      <code dir="ltr" tabIndex={0}>
        {text}
      </code>
      <CopyButton text={text} label={label} />
    </div>
  );
}
