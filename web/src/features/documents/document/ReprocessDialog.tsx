import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Check } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";

import { deeds, useDeed } from "../api";
import styles from "../documents.module.css";
import type { Document } from "../types";

export function ReprocessDialog({ document, onClose }: { document: Document; onClose: () => void }) {
  const { t } = useTranslation("documents");
  const [all, setAll] = useState(false);
  const again = useDeed(() => deeds.reprocess(document.id, all));
  return (
    <Dialog
      title={t("reprocess.title")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
          <Button
            look="primary"
            busy={again.isPending}
            onClick={() => again.mutate(undefined, { onSuccess: onClose })}
          >
            {t("deed.reprocess")}
          </Button>
        </>
      }
    >
      <div className={styles["stack"]}>
        {again.error && <ErrorNote error={again.error} />}
        <p>{t("reprocess.means")}</p>
        <Check
          label={t("reprocess.all")}
          hint={t("reprocess.allHint")}
          checked={all}
          onChange={({ target }) => setAll(target.checked)}
        />
      </div>
    </Dialog>
  );
}
