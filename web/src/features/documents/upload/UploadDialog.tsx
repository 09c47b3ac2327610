import { Trash2, Upload } from "lucide-react";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Note } from "@/components/Notes";
import { Tabs } from "@/components/Tabs";
import { useFormats } from "@/lib/format";

import { IMPORT_FROM, MOST_FILES } from "./batches";
import { Labels } from "./Labels";
import type { Picked } from "./picked";
import { Pickers } from "./Pickers";
import { UrlForm } from "./UrlForm";
import { useUploads } from "./UploadProvider";
import type { Options } from "./uploads";
import styles from "./upload.module.css";

const LISTED = 100;

interface Props {
  files: readonly Picked[];
  onFiles: (files: readonly Picked[]) => void;
  onClose: () => void;
}

/** What is to be uploaded, and under which labels. */
export function UploadDialog({ files, onFiles, onClose }: Props) {
  const { t } = useTranslation("documents");
  const { start, mayShare } = useUploads();
  const [way, setWay] = useState("files");
  const [options, setOptions] = useState<Options>({
    visibility: mayShare ? "shared" : "private",
    contentType: "document",
    category: "",
    tags: "",
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (files.length > 0) {
      start(files, options);
      onClose();
    }
  };
  return (
    <Dialog
      title={t("upload.title")}
      onClose={onClose}
      actions={
        way === "files" && (
          <>
            <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
            <Button look="primary" type="submit" form="upload-form" disabled={files.length === 0}>
              {t("upload.submit", { count: files.length })}
            </Button>
          </>
        )
      }
    >
      <Tabs
        label={t("upload.way")}
        current={way}
        onChange={setWay}
        tabs={[
          { key: "files", title: t("upload.files") },
          { key: "addresses", title: t("upload.addresses") },
        ]}
      >
        {way === "files" ? (
          <form id="upload-form" className={styles["form"]} onSubmit={submit}>
            <Chosen files={files} onFiles={onFiles} />
            <Labels options={options} onChange={setOptions} mayShare={mayShare} />
          </form>
        ) : (
          <UrlForm mayShare={mayShare} options={options} onOptions={setOptions} onClose={onClose} />
        )}
      </Tabs>
    </Dialog>
  );
}

function Chosen({ files, onFiles }: Pick<Props, "files" | "onFiles">) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const add = (more: readonly Picked[]) => onFiles([...files, ...more]);
  return (
    <>
      <div className={styles["zone"]}>
        <Upload aria-hidden />
        <p>{t("upload.zone")}</p>
        <div className={styles["row"]}>
          <Pickers onFiles={add} />
        </div>
      </div>
      {files.length > 0 && (
        <>
          <p role="status">{t("upload.chosen", { count: files.length, size: formats.bytes(bytes) })}</p>
          <ul className={styles["chosen"]} tabIndex={0} aria-label={t("upload.files")}>
            {files.slice(0, LISTED).map((each, at) => (
              <li key={at}>
                <bdi className={styles["fileName"]}>{each.path ?? each.file.name}</bdi>
                <span className={styles["soft"]}>{formats.bytes(each.file.size)}</span>
                <IconButton
                  size="small"
                  label={t("upload.leaveOut", { name: each.file.name })}
                  icon={<Trash2 />}
                  onClick={() => onFiles(files.filter((other) => other !== each))}
                />
              </li>
            ))}
            {files.length > LISTED && <li>{t("upload.andMore", { count: files.length - LISTED })}</li>}
          </ul>
        </>
      )}
      {files.length >= IMPORT_FROM && <Note>{t("upload.asImport")}</Note>}
      {files.length > MOST_FILES && <Note tone="warn">{t("upload.tooMany", { count: MOST_FILES })}</Note>}
    </>
  );
}
