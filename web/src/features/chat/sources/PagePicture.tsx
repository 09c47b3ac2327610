import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { FramedPicture } from "@/components/FramedPicture";
import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";

import type { Source } from "../stream/events";
import { pictureQuery } from "./picture";

interface Props {
  documentId: string;
  title: string;
  page: number;
  source: Source | null;
  /** There are no pictures of this document's pages. */
  onMissing: () => void;
}

/** A page as it looks, with the cited words framed. */
export function PagePicture({ documentId, title, page, source, onMissing }: Props) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const { data: picture, error, refetch } = useQuery(pictureQuery(documentId, page, source));
  const missing = picture === null;
  useEffect(() => {
    if (missing) {
      onMissing();
    }
  }, [missing, onMissing]);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (!picture) {
    return <Spinner label={t("common:loading")} />;
  }
  return (
    <FramedPicture
      src={picture.url}
      alt={t("source.pagePicture", { page: number(page), title })}
      places={picture.places}
      onError={onMissing}
    />
  );
}
