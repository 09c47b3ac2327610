import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import type { Schemas } from "@/lib/api";

import { deeds, useDeed } from "../api";
import styles from "../documents.module.css";
import { LabelFields, labelsOf, storedOf } from "../LabelFields";
import type { Document } from "../types";

/** Labels hold at once; a new title makes a new version, for it is embedded with the text. */
export function LabelForm({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [title, setTitle] = useState(document.title);
  const [labels, setLabels] = useState(() => labelsOf(document));
  const change = useDeed((given: Schemas["DocumentChange"]) => deeds.change(document.id, given));
  const stored = storedOf(labels);
  const changes: Schemas["DocumentChange"] = {
    ...(title.trim() !== document.title && { title: title.trim() }),
    ...(stored.content_type !== document.content_type && { content_type: stored.content_type }),
    ...(stored.category !== document.category && { category: stored.category }),
    ...(stored.tags.join("\n") !== document.tags.join("\n") && { tags: stored.tags }),
  };
  const isChanged = Object.keys(changes).length > 0;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    change.mutate(changes, { onSuccess: () => tell.done(t("labels.saved")) });
  };
  return (
    <form className={styles["form"]} onSubmit={submit}>
      {change.error && <ErrorNote error={change.error} />}
      <div className={styles["columns"]}>
        <TextField
          label={t("label.title")}
          hint={title.trim() === document.title ? undefined : t("label.titleHint")}
          required
          maxLength={500}
          value={title}
          onChange={({ target }) => setTitle(target.value)}
        />
        <LabelFields labels={labels} onChange={(change) => setLabels({ ...labels, ...change })} />
      </div>
      <div className={styles["end"]}>
        <Button
          type="submit"
          look="primary"
          busy={change.isPending}
          disabled={change.isPending || !isChanged || title.trim() === ""}
        >
          {t("save", { ns: "common" })}
        </Button>
      </div>
    </form>
  );
}
