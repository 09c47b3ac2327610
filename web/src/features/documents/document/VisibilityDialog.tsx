import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import { deeds, useDeed } from "../api";
import styles from "../documents.module.css";
import type { Document } from "../types";

/** Who a document is shown to when it changes sides. */
export const otherSide = ({ visibility }: Pick<Document, "visibility">) =>
  visibility === "shared" ? "private" : "shared";

/** Says what it means to share a document or to keep it for oneself, and does so. */
export function VisibilityDialog({ document, onClose }: { document: Document; onClose: () => void }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const side = otherSide(document);
  const change = useDeed(() => deeds.change(document.id, { visibility: side }));
  return (
    <Dialog
      title={t(`visibility.${side}Title`, { name: document.title })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
          <Button
            look="primary"
            busy={change.isPending}
            onClick={() =>
              change.mutate(undefined, {
                onSuccess: () => {
                  tell.done(t(`visibility.${side}Done`));
                  onClose();
                },
              })
            }
          >
            {t(`visibility.${side}Deed`)}
          </Button>
        </>
      }
    >
      <div className={styles["stack"]}>
        {change.error && <ErrorNote error={change.error} />}
        <p>{t(`visibility.${side}Means`)}</p>
      </div>
    </Dialog>
  );
}
