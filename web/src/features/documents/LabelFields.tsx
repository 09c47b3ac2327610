import { useTranslation } from "react-i18next";

import { Select, TextField } from "@/components/Field";

import { CONTENT_TYPES, isOneOf, type ContentType, type Document } from "./types";
import { tagsOf } from "./words";

/** The labels of a document as a form has them: tags as one text. */
export interface Labels {
  contentType: ContentType;
  category: string;
  tags: string;
}

type Stored = Pick<Document, "content_type" | "category" | "tags">;

/** The labels of something that has some; of nothing, those that a form begins with. */
export function labelsOf(stored: Stored | null): Labels {
  const contentType = stored?.content_type ?? null;
  return {
    contentType: isOneOf(CONTENT_TYPES, contentType) ? contentType : "document",
    category: stored?.category ?? "",
    tags: stored?.tags.join(", ") ?? "",
  };
}

/** The labels as they are sent. */
export const storedOf = ({ contentType, category, tags }: Labels) => ({
  content_type: contentType,
  category: category.trim(),
  tags: tagsOf(tags),
});

interface Props {
  labels: Labels;
  onChange: (change: Partial<Labels>) => void;
  /** With a line on what a kind and a category are for. */
  explained?: boolean;
}

/** What it is and how it is labelled: fields of the forms of documents, uploads and sources. */
export function LabelFields({ labels, onChange, explained = false }: Props) {
  const { t } = useTranslation("documents");
  return (
    <>
      <Select
        label={t("kind.label")}
        hint={explained ? t(`kind.hint.${labels.contentType}`) : undefined}
        value={labels.contentType}
        onChange={({ target }) =>
          isOneOf(CONTENT_TYPES, target.value) && onChange({ contentType: target.value })
        }
        options={CONTENT_TYPES.map((value) => ({ value, label: t(`kind.${value}`) }))}
      />
      <TextField
        label={t("label.category")}
        hint={explained ? t("label.categoryHint") : undefined}
        maxLength={200}
        value={labels.category}
        onChange={({ target }) => onChange({ category: target.value })}
      />
      <TextField
        label={t("label.tags")}
        hint={t("label.tagsHint")}
        maxLength={1000}
        value={labels.tags}
        onChange={({ target }) => onChange({ tags: target.value })}
      />
    </>
  );
}
