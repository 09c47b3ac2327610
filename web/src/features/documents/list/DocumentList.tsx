import { Ban, Download, Globe, Lock, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { IconButton } from "@/components/Button";
import { Select } from "@/components/Field";
import { Badge } from "@/components/Notes";
import { Pages, Table, type Column } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { deeds, download, useDeed } from "../api";
import { DeleteDialog } from "../DeleteDialog";
import shared from "../documents.module.css";
import { shownState } from "../live/fold";
import { useLive } from "../live/LiveProvider";
import { StateCell } from "../State";
import type { Document } from "../types";
import { useMayChange } from "../rights";
import { typeOf } from "../words";
import type { BulkResult } from "./bulk";
import { BulkBar } from "./BulkBar";
import { BulkReport } from "./BulkReport";
import { PAGE_SIZES, type Filters } from "./filters";
import styles from "./list.module.css";

interface Props {
  found: Schemas["DocumentList"];
  filters: Filters;
  onChange: (change: Partial<Filters>) => void;
  /** The rows of the filter before are still shown. */
  isOld: boolean;
}

export function DocumentList({ found, filters, onChange, isOld }: Props) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const mayChange = useMayChange();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [deleting, setDeleting] = useState<Document | null>(null);
  const [report, setReport] = useState<BulkResult<Document> | null>(null);
  const columns = useColumns(setDeleting);
  const rows = found.documents;
  const marked = rows.filter(({ id }) => chosen.has(id));
  const mayChoose = rows.some(mayChange);
  const finish = (result: BulkResult<Document>) => {
    setChosen(new Set(result.failed.map(({ item }) => item.id))); // what did not work stays chosen
    if (result.failed.length > 0) {
      setReport(result);
    } else {
      tell.done(t("bulk.worked", { count: result.done }));
    }
  };
  return (
    <div className={styles["list"]} aria-busy={isOld || undefined}>
      {marked.length > 0 && <BulkBar documents={marked} onNone={() => setChosen(new Set())} onEnd={finish} />}
      <Table
        caption={t("title")}
        columns={columns}
        rows={rows}
        rowKey={({ id }) => id}
        nameOf={({ title }) => title}
        sort={SORTED[filters.sort]}
        onSort={(key) => onChange({ sort: nextSort(key, filters.sort) })}
        {...(mayChoose && { chosen: new Set(marked.map(({ id }) => id)), onChoose: setChosen })}
      />
      <div className={styles["foot"]}>
        <div className={styles["size"]}>
          <Select
            label={t("pageSize")}
            value={filters.limit}
            onChange={({ target }) =>
              onChange({ limit: PAGE_SIZES.find((size) => String(size) === target.value) })
            }
            options={PAGE_SIZES.map((size) => ({ value: String(size), label: String(size) }))}
          />
        </div>
        <Pages
          total={found.total}
          limit={found.limit}
          offset={found.offset}
          onOffset={(offset) => onChange({ offset })}
        />
      </div>
      {report && <BulkReport result={report} onClose={() => setReport(null)} />}
      {deleting && <DeleteDialog documents={[deleting]} onClose={() => setDeleting(null)} />}
    </div>
  );
}

const SORTED = {
  newest: { key: "uploaded", descending: true },
  oldest: { key: "uploaded", descending: false },
  title: { key: "title", descending: false },
  size: { key: "size", descending: true },
  quality: { key: "quality", descending: false },
} as const;

function nextSort(key: string, now: Filters["sort"]): Filters["sort"] {
  if (key === "title" || key === "size" || key === "quality") {
    return key;
  }
  return now === "newest" ? "oldest" : "newest";
}

function useColumns(onDelete: (document: Document) => void): readonly Column<Document>[] {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return [
    { key: "title", title: t("column.title"), sortable: true, cell: (row) => <Title document={row} /> },
    { key: "state", title: t("column.state"), cell: (row) => <StateCell document={row} /> },
    {
      key: "languages",
      title: t("column.languages"),
      minor: true,
      cell: ({ languages }) => formats.list(languages.map(formats.languageName)),
    },
    {
      key: "quality",
      title: t("column.quality"),
      numeric: true,
      minor: true,
      sortable: true,
      cell: ({ quality_score }) => (quality_score === null ? "–" : formats.percent(quality_score)),
    },
    {
      key: "size",
      title: t("column.size"),
      numeric: true,
      minor: true,
      sortable: true,
      cell: ({ size_bytes }) => formats.bytes(size_bytes),
    },
    {
      key: "uploaded",
      title: t("column.uploaded"),
      minor: true,
      sortable: true,
      cell: ({ uploaded_at }) => (
        <time dateTime={uploaded_at} title={formats.dateTime(uploaded_at)}>
          {formats.relative(uploaded_at)}
        </time>
      ),
    },
    { key: "deeds", title: t("column.deeds"), cell: (row) => <Deeds document={row} onDelete={onDelete} /> },
  ];
}

function Title({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  return (
    <div className={shared["titleCell"]}>
      <Link to={`/documents/${document.id}`} dir="auto">
        {document.title}
      </Link>
      <span className={shared["small"]}>
        {document.visibility === "private" && (
          <Lock className={styles["mark"]} role="img" aria-label={t("visibility.private")} />
        )}
        {document.source !== "upload" && (
          <Globe className={styles["mark"]} role="img" aria-label={t(`source.${document.source}`)} />
        )}
        <bdi>{document.file_name}</bdi> · {typeOf(document.file_name, document.file_type)}
        {document.version > 1 && ` · ${t("versionNumber", { number: document.version })}`}
      </span>
      {(document.category || document.tags.length > 0) && (
        <span className={shared["tags"]}>
          {document.category && (
            <Badge tone="accent">
              <bdi>{document.category}</bdi>
            </Badge>
          )}
          {document.tags.map((tag) => (
            <Badge key={tag}>
              <bdi>{tag}</bdi>
            </Badge>
          ))}
        </span>
      )}
    </div>
  );
}

function Deeds({ document, onDelete }: { document: Document; onDelete: (document: Document) => void }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const { rows } = useLive();
  const mayChange = useMayChange()(document);
  const cancel = useDeed(deeds.cancel);
  const { state, working } = shownState(document, rows);
  const isRead = working !== null || state === "queued" || state === "processing";
  return (
    <div className={shared["rowDeeds"]}>
      {mayChange && isRead && (
        <IconButton
          size="small"
          label={t("deed.cancelNamed", { name: document.title })}
          icon={<Ban />}
          busy={cancel.isPending}
          onClick={() => cancel.mutate(document.id, { onError: tell.failed })}
        />
      )}
      <IconButton
        size="small"
        label={t("deed.downloadNamed", { name: document.title })}
        icon={<Download />}
        onClick={() => void download(document.id, document.file_name).catch(tell.failed)}
      />
      {mayChange && (
        <IconButton
          size="small"
          label={t("deed.deleteNamed", { name: document.title })}
          icon={<Trash2 />}
          onClick={() => onDelete(document)}
        />
      )}
    </div>
  );
}
