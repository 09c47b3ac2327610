import { File as FileIcon, FolderOpen } from "lucide-react";
import { useRef, type ChangeEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";

import { filesOfPicker, type Picked } from "./picked";

/** An attribute that React's types do not know. */
const A_FOLDER = { webkitdirectory: "" };

/** Buttons that open the browser's choice of files, and of a folder. */
export function Pickers({
  onFiles,
  primary = false,
}: {
  onFiles: (files: readonly Picked[]) => void;
  primary?: boolean;
}) {
  const { t } = useTranslation("documents");
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = (event: ChangeEvent<HTMLInputElement>) => {
    const picked = filesOfPicker(event.target.files ?? new DataTransfer().files);
    event.target.value = "";
    if (picked.length > 0) {
      onFiles(picked);
    }
  };
  return (
    <>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        onChange={take}
        data-testid="files"
        aria-label={t("upload.chooseFiles")}
      />
      <input
        ref={folder}
        type="file"
        {...A_FOLDER}
        hidden
        onChange={take}
        aria-label={t("upload.chooseFolder")}
      />
      <Button
        look={primary ? "primary" : "plain"}
        icon={<FileIcon aria-hidden />}
        onClick={() => files.current?.click()}
      >
        {t("upload.chooseFiles")}
      </Button>
      <Button icon={<FolderOpen aria-hidden />} onClick={() => folder.current?.click()}>
        {t("upload.chooseFolder")}
      </Button>
    </>
  );
}
