import { useEffect, useMemo, useRef, type ComponentProps, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Markdown } from "@/components/Markdown";

import type { Source } from "../stream/events";
import { inUnits, remarkMarks, type Marks, type Span } from "../text/marks";
import type { PageText as Page } from "./api";
import { spanOf } from "./spanOf";
import styles from "./Sources.module.css";

const COMPONENTS: ComponentProps<typeof Markdown>["components"] = {
  mark: ({ children }: { children?: ReactNode }) => <mark className={styles["marked"]}>{children}</mark>,
};

/** The text of a page with the cited words marked and brought into view. */
export function PageText({ page, source }: { page: Page; source: Source | null }) {
  const { t } = useTranslation("chat");
  const root = useRef<HTMLDivElement>(null);
  const span = useMemo<Span | null>(() => (source === null ? null : spanOf(page, source)), [page, source]);
  const plugins = useMemo(
    () =>
      [[remarkMarks, { spans: span === null ? [] : [inUnits(page.text, span)] }]] as [
        typeof remarkMarks,
        Marks,
      ][],
    [page.text, span],
  );
  useEffect(() => {
    root.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [plugins]);
  return (
    <>
      {page.ocr && <p className={styles["note"]}>{t("source.recognised")}</p>}
      {source !== null && span === null && <p className={styles["note"]}>{t("source.notFoundInText")}</p>}
      <div ref={root} className={styles["page"]} tabIndex={0} role="region" aria-label={t("source.asText")}>
        <Markdown components={COMPONENTS} remarkPlugins={plugins}>
          {page.text}
        </Markdown>
      </div>
    </>
  );
}
