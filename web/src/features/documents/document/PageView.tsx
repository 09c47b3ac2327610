import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { MarkdownLater } from "@/components/MarkdownLater";
import type { Schemas } from "@/lib/api";

import type { Chunk } from "../types";
import styles from "./document.module.css";
import { PagePicture } from "./PagePicture";

export type View = "formatted" | "text" | "picture";

interface Props {
  page: Schemas["PageOut"];
  view: View;
  /** Shown in its place: marked in the text as it was read, of which it is a span, or framed on the picture. */
  chunk: Chunk | undefined;
  documentId: string;
  onNoPicture: () => void;
}

export function PageView({ page, view, chunk, documentId, onNoPicture }: Props) {
  const { t } = useTranslation("documents");
  const parts = chunk && cut(page.text, chunk.start - page.start, chunk.end - page.start);
  const words = parts?.[1].trim() ?? ""; // "" where the chunk has nothing on this page
  if (view === "picture") {
    return (
      <PagePicture
        documentId={documentId}
        page={page.page ?? 1}
        passage={chunk && words ? { text: words, at: Math.max(chunk.start, page.start) } : null}
        onMissing={onNoPicture}
      />
    );
  }
  if (page.text.trim() === "") {
    return <p className={styles["soft"]}>{t("preview.empty")}</p>;
  }
  if (chunk && parts && words) {
    return <Marked key={chunk.id} parts={parts} />;
  }
  return view === "text" ? (
    <pre className={styles["raw"]} dir="auto" tabIndex={0}>
      {page.text}
    </pre>
  ) : (
    <MarkdownLater>{page.text}</MarkdownLater>
  );
}

function Marked({ parts: [before, within, after] }: { parts: readonly [string, string, string] }) {
  const mark = useRef<HTMLElement>(null);
  useEffect(() => {
    mark.current?.scrollIntoView({ block: "nearest" }); // newer browsers return a promise here, which is no clean-up
  }, []);
  return (
    <pre className={styles["raw"]} dir="auto" tabIndex={0}>
      {before}
      <mark ref={mark}>{within}</mark>
      {after}
    </pre>
  );
}

/** Offsets count characters (code points), JavaScript's count UTF-16 units. */
export function cut(text: string, start: number, end: number): [string, string, string] {
  const characters = Array.from(text);
  const from = Math.min(Math.max(0, start), characters.length);
  const to = Math.min(Math.max(from, end), characters.length);
  return [
    characters.slice(0, from).join(""),
    characters.slice(from, to).join(""),
    characters.slice(to).join(""),
  ];
}
