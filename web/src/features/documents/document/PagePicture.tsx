import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { FramedPicture } from "@/components/FramedPicture";
import { ErrorNote } from "@/components/Notes";

import { placesQuery } from "../api";
import styles from "./document.module.css";

interface Props {
  documentId: string;
  page: number;
  /** The words of a chunk on this page, and where they begin in the whole text; null where none is chosen. */
  passage: { text: string; at: number } | null;
  onMissing: () => void;
}

/** A page as it looks, with a chunk's words framed. */
export function PagePicture({ documentId, page, passage, onMissing }: Props) {
  const { t } = useTranslation("documents");
  const places = useQuery(placesQuery(documentId, page, passage));
  const [hasSize, setHasSize] = useState(false);
  const first = useRef<HTMLSpanElement>(null);
  const found = places.data;
  useEffect(() => {
    if (hasSize && found) {
      first.current?.scrollIntoView({ block: "center" });
    }
  }, [hasSize, found]);
  return (
    <>
      {places.error && <ErrorNote error={places.error} onRetry={() => void places.refetch()} />}
      {found?.length === 0 && (
        <p className={styles["soft"]} role="status">
          {t("preview.notOnPicture", { view: t("preview.text") })}
        </p>
      )}
      <FramedPicture
        src={`/api/chatbot/documents/${documentId}/pages/${page}/image/`}
        alt={t("preview.pictureOf", { page })}
        places={found ?? []}
        first={first}
        onLoad={() => setHasSize(true)}
        onError={onMissing}
      />
    </>
  );
}
