import { directionOf } from "@/lib/languages";
import { useSaid } from "@/lib/said";

/** A text that the server says in English, in the language of the interface, with `code` as such. */
export function Said({ text, className }: { text: string; className?: string | undefined }) {
  const said = useSaid()(text);
  // Links lead into the manual, which is elsewhere; None is Python's word for what a page shows as empty.
  const plain = said.text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\bNone\b/g, "empty");
  return (
    <span className={className} lang={said.language} dir={directionOf(said.language)}>
      {plain.split("`").map((part, at) =>
        at % 2 === 1 ? (
          <code key={at} dir="ltr">
            {part}
          </code>
        ) : (
          part
        ),
      )}
    </span>
  );
}
