import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Select, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import type { Schemas } from "@/lib/api";

import { deeds, useDeed } from "../api";
import styles from "../documents.module.css";
import { CONTENT_TYPES, isOneOf, type Document } from "../types";
import { tagsOf } from "../words";

/** Labels hold at once; a new title makes a new version, for it is embedded with the text. */
export function LabelForm({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [title, setTitle] = useState(document.title);
  const [kind, setKind] = useState(document.content_type);
  const [category, setCategory] = useState(document.category);
  const [tags, setTags] = useState(document.tags.join(", "));
  const change = useDeed((given: Schemas["DocumentChange"]) => deeds.change(document.id, given));
  const changes: Schemas["DocumentChange"] = {
    ...(title.trim() !== document.title && { title: title.trim() }),
    ...(kind !== document.content_type && isOneOf(CONTENT_TYPES, kind) && { content_type: kind }),
    ...(category.trim() !== document.category && { category: category.trim() }),
    ...(tagsOf(tags).join("\n") !== document.tags.join("\n") && { tags: tagsOf(tags) }),
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
        <Select
          label={t("kind.label")}
          value={kind}
          onChange={({ target }) => setKind(target.value)}
          options={CONTENT_TYPES.map((value) => ({ value, label: t(`kind.${value}`) }))}
        />
        <TextField
          label={t("label.category")}
          maxLength={200}
          value={category}
          onChange={({ target }) => setCategory(target.value)}
        />
        <TextField
          label={t("label.tags")}
          hint={t("label.tagsHint")}
          value={tags}
          onChange={({ target }) => setTags(target.value)}
        />
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
