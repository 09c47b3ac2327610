import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Confirm } from "@/components/Dialog";
import { Progress } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";

import { deeds } from "./api";
import styles from "./documents.module.css";
import { doAll, type BulkResult } from "./list/bulk";
import type { Document } from "./types";

interface Props {
  documents: readonly Document[];
  onClose: () => void;
  /** What became of it. Without it a toast tells. */
  onEnd?: (result: BulkResult<Document>) => void;
}

/** Asks before documents are deleted, and says what that means. */
export function DeleteDialog({ documents, onClose, onEnd }: Props) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const cache = useQueryClient();
  const [ended, setEnded] = useState(0);
  const [first] = documents;
  const remove = useMutation({
    mutationFn: () => doAll(documents, ({ id }) => deeds.remove(id), setEnded),
    onSuccess: (result) => {
      onClose();
      if (onEnd) {
        onEnd(result);
      } else if (result.failed.length > 0) {
        tell.failed(result.failed[0]?.error);
      } else {
        tell.done(t("delete.done", { count: result.done }));
      }
    },
    onSettled: () => cache.invalidateQueries({ queryKey: ["documents"] }),
  });
  return (
    <Confirm
      title={
        documents.length === 1
          ? t("delete.title", { name: first?.title })
          : t("delete.titleMany", { count: documents.length })
      }
      deed={t("delete", { ns: "common" })}
      busy={remove.isPending}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <div className={styles["stack"]}>
        <p>{t("delete.means")}</p>
        <p className={styles["small"]}>{t("delete.remains")}</p>
        {remove.isPending && documents.length > 1 && (
          <Progress label={t("bulk.progress")} value={ended / documents.length} />
        )}
      </div>
    </Confirm>
  );
}
