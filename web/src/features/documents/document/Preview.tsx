import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "@/lib/address";

import { IconButton } from "@/components/Button";
import { Select } from "@/components/Field";
import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { Pages } from "@/components/Table";
import { Spinner } from "@/components/Spinner";
import { ApiError } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { chunksQuery, CHUNKS_ON_A_PAGE, pageQuery } from "../api";
import type { Chunk, Document } from "../types";
import { ChunkList } from "./ChunkList";
import styles from "./document.module.css";
import { PageView, type View } from "./PageView";

/** The text as it was read, page by page, with the chunks that searches find beside it; a chunk is shown in its page. */
export function Preview({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const [query, setQuery] = useSearchParams();
  const total = document.pages ?? 1;
  const number = Math.min(total, Math.max(1, Math.trunc(Number(query.get("page")) || 1)));
  const offset = Math.max(0, Math.trunc(Number(query.get("from")) || 0));
  const chunks = useQuery(chunksQuery(document.id, offset));
  const chosen = chunks.data?.chunks.find(({ id }) => id === query.get("chunk"));
  const change = (changes: Record<string, string | null>) =>
    setQuery(
      (now) => {
        const next = new URLSearchParams(now);
        for (const [name, value] of Object.entries(changes)) {
          if (value === null) {
            next.delete(name);
          } else {
            next.set(name, value);
          }
        }
        return next;
      },
      { replace: true },
    );
  const choose = (chunk: Chunk) => change({ chunk: chunk.id, page: String(chunk.page ?? 1) });
  if (chunks.data?.total === 0 && document.total_chunks === 0) {
    return <Empty title={t("preview.none")}>{t("preview.noneHint")}</Empty>;
  }
  return (
    <div className={styles["preview"]}>
      <section className={styles["paper"]} aria-label={t("preview.text")}>
        <PageShown
          document={document}
          number={number}
          total={total}
          chunk={chosen}
          onNumber={(page) => change({ page: String(page) })}
        />
      </section>
      <section className={styles["beside"]} aria-label={t("preview.chunks")}>
        <h2>{t("preview.chunksCount", { count: chunks.data?.total ?? document.total_chunks })}</h2>
        {chunks.error && <ErrorNote error={chunks.error} onRetry={() => void chunks.refetch()} />}
        {chunks.isPending && <Spinner />}
        {chunks.data && <ChunkList chunks={chunks.data.chunks} chosen={chosen?.id} onChoose={choose} />}
        <Pages
          total={chunks.data?.total ?? 0}
          limit={CHUNKS_ON_A_PAGE}
          offset={offset}
          onOffset={(from) => change({ from: String(from), chunk: null })}
        />
      </section>
    </div>
  );
}

interface ShownProps {
  document: Document;
  number: number;
  total: number;
  chunk: Chunk | undefined;
  onNumber: (number: number) => void;
}

function PageShown({ document, number, total, chunk, onNumber }: ShownProps) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const [view, setView] = useState<View>("formatted");
  const [hasPicture, setHasPicture] = useState(document.file_type === "application/pdf");
  const page = useQuery(pageQuery(document.id, number));
  const isMissing = page.error instanceof ApiError && page.error.status === 404;
  const views: readonly View[] = hasPicture ? ["formatted", "text", "picture"] : ["formatted", "text"];
  return (
    <>
      <div className={styles["pageBar"]}>
        {total > 1 && (
          <div className={styles["turn"]}>
            <IconButton
              size="small"
              label={t("preview.before")}
              icon={<ChevronLeft className={styles["mirrored"]} />}
              disabled={number <= 1}
              onClick={() => onNumber(number - 1)}
            />
            <Select
              label={t("preview.page")}
              hideLabel
              value={number}
              onChange={({ target }) => onNumber(Number(target.value))}
              options={Array.from({ length: total }, (_, at) => ({
                value: String(at + 1),
                label: t("preview.pageOf", { page: formats.number(at + 1), total: formats.number(total) }),
              }))}
            />
            <IconButton
              size="small"
              label={t("preview.after")}
              icon={<ChevronRight className={styles["mirrored"]} />}
              disabled={number >= total}
              onClick={() => onNumber(number + 1)}
            />
          </div>
        )}
        <div className={styles["views"]}>
          <Select
            label={t("preview.view")}
            hideLabel
            value={view}
            onChange={({ target }) => setView(views.find((each) => each === target.value) ?? "formatted")}
            options={views.map((value) => ({ value, label: t(`preview.${value}`) }))}
          />
        </div>
        {page.data?.ocr && (
          <Badge tone="accent">
            {page.data.confidence === null
              ? t("preview.ocr")
              : t("preview.ocrSure", { share: formats.percent(page.data.confidence) })}
          </Badge>
        )}
      </div>
      {page.error && !isMissing && <ErrorNote error={page.error} onRetry={() => void page.refetch()} />}
      {isMissing && <p>{t("preview.noPage")}</p>}
      {page.isPending && <Spinner />}
      {page.data && (
        <PageView
          key={`${number}-${view}`}
          page={page.data}
          view={view}
          chunk={chunk}
          documentId={document.id}
          onNoPicture={() => {
            setHasPicture(false);
            setView("formatted");
          }}
        />
      )}
    </>
  );
}
