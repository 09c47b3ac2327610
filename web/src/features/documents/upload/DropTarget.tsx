import { Upload } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { useToasts } from "@/components/Toasts";

import { filesOfDrop, type Picked } from "./picked";
import styles from "./upload.module.css";

/** The whole page takes files and folders, and says so while something is dragged over it. */
export function DropTarget({ onFiles }: { onFiles: (files: readonly Picked[]) => void }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (hasFiles(event)) {
        event.preventDefault();
        setOver(true);
      }
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) {
        setOver(false);
      }
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (event.dataTransfer !== null && hasFiles(event)) {
        event.preventDefault();
        filesOfDrop(event.dataTransfer).then((files) => {
          if (files.length > 0) {
            onFiles(files);
          }
        }, tell.failed);
      }
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragover", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragover", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles, tell]);
  return over ? (
    <div className={styles["over"]} aria-hidden="true">
      <Upload />
      <strong>{t("upload.dropHere")}</strong>
    </div>
  ) : null;
}
