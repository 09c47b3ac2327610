import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

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
      <div className={styles["pictureBox"]}>
        <img
          className={styles["picture"]}
          src={`/api/chatbot/documents/${documentId}/pages/${page}/image/`}
          alt={t("preview.pictureOf", { page })}
          onLoad={() => setHasSize(true)}
          onError={onMissing}
        />
        {found?.map((place, at) => (
          <span
            key={at}
            ref={at === 0 ? first : undefined}
            className={styles["frame"]}
            aria-hidden="true"
            style={{
              left: `${100 * place.left}%`,
              top: `${100 * place.top}%`,
              width: `${100 * place.width}%`,
              height: `${100 * place.height}%`,
            }}
          />
        ))}
      </div>
    </>
  );
}
