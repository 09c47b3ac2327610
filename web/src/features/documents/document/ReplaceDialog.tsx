import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNote, Note, Progress } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import type { Schemas } from "@/lib/api";

import styles from "../documents.module.css";
import type { Document } from "../types";
import { sendForm, wasStopped } from "../upload/send";

/** A new version by upload. The old one serves until the new one is read. */
export function ReplaceDialog({ document, onClose }: { document: Document; onClose: () => void }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const cache = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [sent, setSent] = useState(0);
  const stopping = useRef<AbortController | null>(null);
  useEffect(() => () => stopping.current?.abort(), []);
  const replace = useMutation({
    mutationFn: (chosen: File) => {
      stopping.current = new AbortController();
      const form = new FormData();
      form.set("file", chosen, chosen.name);
      return sendForm<Schemas["UploadedOut"]>(`/api/chatbot/documents/${encodeURIComponent(document.id)}/`, {
        method: "PUT",
        form,
        signal: stopping.current.signal,
        onProgress: setSent,
      });
    },
    onSuccess: (uploaded) => {
      void cache.invalidateQueries({ queryKey: ["documents"] });
      tell.done(t(uploaded.is_duplicate ? "replace.same" : "replace.done"));
      onClose();
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (file !== null) {
      replace.mutate(file);
    }
  };
  return (
    <Dialog
      title={t("replace.title")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
          <Button
            look="primary"
            type="submit"
            form="replace-form"
            busy={replace.isPending}
            disabled={replace.isPending || file === null}
          >
            {t("deed.replace")}
          </Button>
        </>
      }
    >
      <form id="replace-form" className={styles["form"]} onSubmit={submit}>
        {replace.error && !wasStopped(replace.error) && <ErrorNote error={replace.error} />}
        <Note>
          <p>{t("replace.means")}</p>
        </Note>
        <TextField
          label={t("replace.file")}
          type="file"
          required
          onChange={({ target }) => setFile(target.files?.[0] ?? null)}
        />
        {replace.isPending && <Progress label={t("replace.sending")} value={sent} />}
      </form>
    </Dialog>
  );
}
