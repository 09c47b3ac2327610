import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { ApiError, type Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import type { Source } from "../stream/events";
import { pageQuery, placeQuery } from "./api";
import { PagePicture } from "./PagePicture";
import { PageText } from "./PageText";
import styles from "./Sources.module.css";

interface Props {
  document: Schemas["DocumentOut"];
  source: Source | null;
}

function hasPictures(type: string): boolean {
  return type === "application/pdf" || type.startsWith("image/");
}

/** The page that is cited, as text or as it looks, and those before and after it. */
export function PageReader({ document, source }: Props) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const [turned, setTurned] = useState<number | null>(null);
  const [asPicture, setAsPicture] = useState(true);
  const [pictureless, setPictureless] = useState(!hasPictures(document.file_type));
  const place = useQuery(placeQuery(document.id, source?.page ?? null, source?.document_start ?? null));
  const cited = place.data ?? null;
  const page = turned ?? cited;
  const text = useQuery({ ...pageQuery(document.id, page ?? 1), enabled: page !== null });
  const isOnePiece = document.file_type.startsWith("text/");
  // Where pages are counted, their number is known; parts of other formats end where there is no next one.
  const next = useQuery({
    ...pageQuery(document.id, (page ?? 1) + 1),
    enabled: page !== null && document.pages === null && !isOnePiece,
    retry: false,
  });
  const isLast = document.pages === null ? !next.isSuccess : page !== null && page >= document.pages;
  const showsPicture = asPicture && !pictureless;
  const error = place.error ?? text.error;
  if (page === null) {
    return place.error ? <ErrorNote error={place.error} /> : <Spinner label={t("common:loading")} />;
  }
  return (
    <section className={styles["reader"]} aria-label={t("source.inPlace")}>
      <div className={styles["bar"]}>
        {!(isLast && page === 1) && (
          <>
            <IconButton
              size="small"
              label={t("source.previousPage")}
              icon={<ChevronLeft className={styles["mirrored"]} />}
              disabled={page <= 1}
              onClick={() => setTurned(page - 1)}
            />
            <span aria-live="polite">
              {document.pages === null
                ? t("source.part", { page: number(page) })
                : t("source.pageOf", { page: number(page), total: number(document.pages) })}
            </span>
            <IconButton
              size="small"
              label={t("source.nextPage")}
              icon={<ChevronRight className={styles["mirrored"]} />}
              disabled={isLast}
              onClick={() => setTurned(page + 1)}
            />
          </>
        )}
        {cited !== null && page !== cited && source !== null && (
          <Button size="small" look="quiet" onClick={() => setTurned(null)}>
            {t("source.backToCited")}
          </Button>
        )}
        {!pictureless && (
          <div className={styles["switch"]} role="group" aria-label={t("source.view")}>
            <Button size="small" look="quiet" aria-pressed={showsPicture} onClick={() => setAsPicture(true)}>
              {t("source.asPicture")}
            </Button>
            <Button
              size="small"
              look="quiet"
              aria-pressed={!showsPicture}
              onClick={() => setAsPicture(false)}
            >
              {t("source.asText")}
            </Button>
          </div>
        )}
      </div>
      {showsPicture ? (
        <PagePicture
          documentId={document.id}
          title={document.title}
          page={page}
          source={page === cited ? source : null}
          onMissing={() => setPictureless(true)}
        />
      ) : text.data ? (
        <PageText page={text.data} source={page === cited ? source : null} />
      ) : error ? (
        <ErrorNote error={error} onRetry={isGone(error) ? undefined : () => void text.refetch()} />
      ) : (
        <Spinner label={t("common:loading")} />
      )}
    </section>
  );
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
