import { ChevronDown, ChevronUp, RotateCcw, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button, IconButton } from "@/components/Button";
import { Progress } from "@/components/Notes";

import { ImportControls } from "../imports/ImportControls";
import { UploadRow } from "./UploadRow";
import { useUploads } from "./UploadProvider";
import { totalsOf, type Item } from "./uploads";
import styles from "./upload.module.css";

const LISTED = 100;
const FIRST: Readonly<Record<Item["phase"], number>> = {
  refused: 0,
  sending: 1,
  waiting: 2,
  stopped: 3,
  accepted: 4,
  duplicate: 5,
};

/** What is uploaded, at the corner of the area's pages: first what needs somebody, then what is under way. */
export function UploadPanel() {
  const { t } = useTranslation("documents");
  const { items, importId, retry, stop, clear } = useUploads();
  const [open, setOpen] = useState(true);
  if (items.length === 0) {
    return null;
  }
  const totals = totalsOf(items);
  const again = items.filter(({ phase }) => phase === "refused" || phase === "stopped");
  const shown =
    items.length > LISTED ? items.toSorted((one, other) => FIRST[one.phase] - FIRST[other.phase]) : items;
  const title = totals.busy
    ? t("panel.sending", { sent: totals.sent, count: totals.files })
    : t("panel.sent", { count: totals.accepted + totals.duplicates });
  return (
    <section className={styles["panel"]} aria-label={t("panel.label")}>
      <header className={styles["panelHead"]}>
        <h2 role="status">{title}</h2>
        <IconButton
          size="small"
          label={t(open ? "panel.fold" : "panel.unfold")}
          icon={open ? <ChevronDown /> : <ChevronUp />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        />
        {!totals.busy && <IconButton size="small" label={t("panel.close")} icon={<X />} onClick={clear} />}
      </header>
      {totals.busy && <Progress label={title} value={totals.share} />}
      {open && (
        <div className={styles["panelBody"]}>
          <div className={styles["row"]}>
            {totals.busy && (
              <Button size="small" onClick={stop}>
                {t("panel.stop")}
              </Button>
            )}
            {!totals.busy && again.length > 1 && (
              <Button
                size="small"
                icon={<RotateCcw aria-hidden />}
                onClick={() => retry(again.map(({ key }) => key))}
              >
                {t("panel.retryAll", { count: again.length })}
              </Button>
            )}
            {importId !== null && <Link to={`/documents/imports/${importId}`}>{t("panel.toImport")}</Link>}
          </div>
          {importId !== null && <ImportControls id={importId} />}
          <ul className={styles["items"]} tabIndex={0} aria-label={t("panel.label")}>
            {shown.slice(0, LISTED).map((item) => (
              <UploadRow key={item.key} item={item} />
            ))}
            {items.length > LISTED && <li>{t("upload.andMore", { count: items.length - LISTED })}</li>}
          </ul>
        </div>
      )}
    </section>
  );
}
