import { lazy, Suspense } from "react";

const Markdown = lazy(async () => ({ default: (await import("./Markdown")).Markdown }));

/** Markdown where the page can do without at first: plain text until its scripts, some 50 KiB, are loaded. */
export function MarkdownLater({ children }: { children: string }) {
  return (
    <Suspense fallback={<p dir="auto">{children}</p>}>
      <Markdown>{children}</Markdown>
    </Suspense>
  );
}
