import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Markdown } from "@/components/Markdown";
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
  if (view === "picture") {
    const words = chunk && cut(page.text, chunk.start - page.start, chunk.end - page.start)[1].trim();
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
  if (chunk !== undefined) {
    return <Marked page={page} chunk={chunk} />;
  }
  return view === "text" ? (
    <pre className={styles["raw"]} dir="auto" tabIndex={0}>
      {page.text}
    </pre>
  ) : (
    <Markdown>{page.text}</Markdown>
  );
}

function Marked({ page, chunk }: { page: Schemas["PageOut"]; chunk: Chunk }) {
  const mark = useRef<HTMLElement>(null);
  const [before, within, after] = cut(page.text, chunk.start - page.start, chunk.end - page.start);
  useEffect(() => {
    mark.current?.scrollIntoView({ block: "nearest" }); // newer browsers return a promise here, which is no clean-up
  }, [chunk.id]);
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
