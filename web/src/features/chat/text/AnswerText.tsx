import { memo, useMemo, type ComponentProps, type ReactNode } from "react";

import { Markdown } from "@/components/Markdown";

import type { Source } from "../stream/events";
import { Code } from "./Code";
import { CitationMark, SourcesContext } from "./CitationMark";
import { remarkMarks, type Marks, type Span } from "./marks";
import styles from "./Text.module.css";

interface Props {
  text: string;
  answerId: string;
  sources: readonly Source[];
  /** Sentences that the sources do not say. */
  spans: readonly Span[];
  isWriting: boolean;
}

type Properties = { children?: ReactNode; node?: { properties?: Record<string, unknown> } };

const COMPONENTS: ComponentProps<typeof Markdown>["components"] = {
  sup: ({ node, children }: Properties) => {
    const number = Number(node?.properties?.["dataCitation"]);
    return number > 0 ? <CitationMark number={number} /> : <sup>{children}</sup>;
  },
  mark: ({ children }: Properties) => <span className={styles["doubted"]}>{children}</span>,
  pre: Code,
};

/** The text of an answer, with buttons for its citations. */
export const AnswerText = memo(function AnswerText({ text, answerId, sources, spans, isWriting }: Props) {
  const numbers = sources.map(({ number }) => number).join();
  const plugins = useMemo(() => {
    const known = numbers === "" ? [] : numbers.split(",").map(Number);
    const marks: Marks = { citations: isWriting ? "all" : new Set(known), spans };
    return [[remarkMarks, marks]] as [typeof remarkMarks, Marks][];
  }, [numbers, spans, isWriting]);
  const context = useMemo(() => ({ answerId, sources }), [answerId, sources]);
  return (
    <SourcesContext value={context}>
      <div className={styles["text"]} data-writing={isWriting || undefined}>
        <Markdown components={COMPONENTS} remarkPlugins={plugins}>
          {text}
        </Markdown>
      </div>
    </SourcesContext>
  );
});
