import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import type { Schemas } from "@/lib/api";

import type { Document } from "../types";
import { retagged, tagsOf } from "../words";

interface Props {
  count: number;
  busy: boolean;
  onChange: (changeOf: (document: Document) => Schemas["DocumentChange"]) => void;
  onClose: () => void;
}

/** Labels of many documents at once: tags are added and taken away, the category is set. */
export function BulkLabels({ count, busy, onChange, onClose }: Props) {
  const { t } = useTranslation("documents");
  const [added, setAdded] = useState("");
  const [removed, setRemoved] = useState("");
  const [category, setCategory] = useState("");
  const [setsCategory, setSetsCategory] = useState(false);
  const changesTags = tagsOf(added).length > 0 || tagsOf(removed).length > 0;
  const submit = () =>
    onChange(({ tags }) => ({
      ...(changesTags && { tags: retagged(tags, tagsOf(added), tagsOf(removed)) }),
      ...(setsCategory && { category: category.trim() }),
    }));
  return (
    <FormDialog
      title={t("bulk.labels", { count })}
      submit={t("save", { ns: "common" })}
      busy={busy}
      ready={changesTags || setsCategory}
      onSubmit={submit}
      onClose={onClose}
    >
      <TextField
        label={t("bulk.addTags")}
        hint={t("label.tagsHint")}
        value={added}
        onChange={({ target }) => setAdded(target.value)}
      />
      <TextField
        label={t("bulk.removeTags")}
        hint={t("label.tagsHint")}
        value={removed}
        onChange={({ target }) => setRemoved(target.value)}
      />
      <Check
        label={t("bulk.setCategory")}
        checked={setsCategory}
        onChange={({ target }) => setSetsCategory(target.checked)}
      />
      {setsCategory && (
        <TextField
          label={t("label.category")}
          hint={t("bulk.categoryHint")}
          maxLength={200}
          value={category}
          onChange={({ target }) => setCategory(target.value)}
        />
      )}
    </FormDialog>
  );
}
