import { X } from "lucide-react";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { Dialog } from "@/components/Dialog";

import type { Message } from "../api";
import type { Answering } from "../stream/answering";
import type { Source } from "../stream/events";
import type { Looked } from "../useCitation";
import { useMedia } from "../useMedia";
import { SourceContent } from "./SourceContent";
import styles from "./Sources.module.css";

interface Props {
  looked: Looked;
  messages: readonly Message[];
  answering: Answering | null;
  onClose: () => void;
}

/** What is cited, in its place: a column beside the conversation, or above it where there is no room. */
export function SourceView({ looked, messages, answering, onClose }: Props) {
  const { t } = useTranslation("chat");
  const isWide = useMedia("(min-width: 75rem)");
  const source = looked.kind === "source" ? sourceOf(looked, messages, answering) : null;
  if (looked.kind === "source" && source === null) {
    return null; // of another branch, or of an answer that is no more
  }
  const documentId = looked.kind === "document" ? looked.document : (source?.doc_id ?? "");
  const title = source === null ? t("source.document") : t("source.heading", { number: source.number });
  const key = `${documentId} ${source?.chunk_id ?? ""} ${source?.start ?? ""}`;
  const content = <SourceContent key={key} documentId={documentId} source={source} />;
  return isWide ? (
    <Column title={title} place={key} onClose={onClose}>
      {content}
    </Column>
  ) : (
    <Dialog title={title} look="side" onClose={onClose}>
      {content}
    </Dialog>
  );
}

function sourceOf(
  looked: Looked & { kind: "source" },
  messages: readonly Message[],
  answering: Answering | null,
): Source | null {
  const sources =
    messages.find(({ id }) => id === looked.answer)?.sources ??
    (answering?.received.messageId === looked.answer ? answering.received.sources : []);
  return sources.find(({ number }) => number === looked.number) ?? null;
}

interface ColumnProps {
  title: string;
  /** What is shown: when that changes, the focus goes to it. */
  place: string;
  onClose: () => void;
  children: React.ReactNode;
}

/** Takes the focus when something is opened, and gives it back when it closes. */
function Column({ title, place, onClose, children }: ColumnProps) {
  const { t } = useTranslation("chat");
  const heading = useRef<HTMLHeadingElement>(null);
  const opener = useRef<Element | null>(null);
  useEffect(() => {
    const active = document.activeElement;
    if (active !== document.body && active !== heading.current) {
      opener.current = active;
    }
    heading.current?.focus();
  }, [place]);
  useEffect(
    () => () => {
      const before = opener.current;
      if (before instanceof HTMLElement) {
        before.focus();
      }
    },
    [],
  );
  return (
    <aside
      className={styles["column"]}
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          onClose();
        }
      }}
    >
      <header className={styles["head"]}>
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <IconButton label={t("common:close")} icon={<X />} onClick={onClose} />
      </header>
      <div className={styles["body"]}>{children}</div>
    </aside>
  );
}
