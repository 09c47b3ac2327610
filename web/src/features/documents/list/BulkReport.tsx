import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Note, useErrorText } from "@/components/Notes";

import styles from "../documents.module.css";
import type { Document } from "../types";
import type { BulkResult } from "./bulk";

/** How many worked, and which did not and why. */
export function BulkReport({ result, onClose }: { result: BulkResult<Document>; onClose: () => void }) {
  const { t } = useTranslation("documents");
  const text = useErrorText();
  return (
    <Dialog
      title={t("bulk.result")}
      onClose={onClose}
      actions={<Button onClick={onClose}>{t("close", { ns: "common" })}</Button>}
    >
      <div className={styles["stack"]}>
        <Note tone={result.failed.length === 0 ? "good" : "warn"}>
          <p role="status">
            {t("bulk.worked", { count: result.done })}
            {result.failed.length > 0 && ` ${t("bulk.failed", { count: result.failed.length })}`}
          </p>
        </Note>
        {result.failed.length > 0 && (
          <ul className={styles["list"]}>
            {result.failed.map(({ item, error }) => (
              <li key={item.id}>
                <Link to={`/documents/${item.id}`} dir="auto">
                  {item.title}
                </Link>
                <p className={styles["small"]} dir="auto">
                  {text(error)}
                </p>
              </li>
            ))}
          </ul>
        )}
      </div>
    </Dialog>
  );
}
