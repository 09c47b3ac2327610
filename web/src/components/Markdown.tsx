import { memo, useEffect, useState, type ComponentProps } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";

import { partOf } from "@/lib/part";

import styles from "./Markdown.module.css";

/** Links lead where they say: web pages and mails, in a tab of their own, and tell that page nothing of ours. */
function Link({ node: _node, href, children, ...rest }: ComponentProps<"a"> & { node?: unknown }) {
  return (
    <a {...rest} href={href} target="_blank" rel="noopener noreferrer nofollow ugc">
      {children}
    </a>
  );
}

/** Pictures are not loaded: their address would tell a stranger's server who reads this. */
function Picture({ alt, src }: ComponentProps<"img"> & { node?: unknown }) {
  return <span className={styles["picture"]}>{alt ?? src}</span>;
}

function Scrolled({ node: _node, ...rest }: ComponentProps<"table"> & { node?: unknown }) {
  return (
    <div className={styles["scroll"]} tabIndex={0}>
      <table {...rest} />
    </div>
  );
}

/** A cell stands at the side of its table; the text in it reads its own way. */
function Head({ node: _node, children, ...rest }: ComponentProps<"th"> & { node?: unknown }) {
  return (
    <th {...rest}>
      <span className={styles["cell"]}>{children}</span>
    </th>
  );
}

function Cell({ node: _node, children, ...rest }: ComponentProps<"td"> & { node?: unknown }) {
  return (
    <td {...rest}>
      <span className={styles["cell"]}>{children}</span>
    </td>
  );
}

const COMPONENTS: Components = { a: Link, img: Picture, table: Scrolled, th: Head, td: Cell };

// What colours code is half of all that Markdown weighs: it comes with the first code that names its language.
const COLOURS = partOf(async () => (await import("rehype-highlight")).default);
const CODE = /(?:`{3}|~{3})[ \t]*\w/;

type RehypePlugins = NonNullable<ComponentProps<typeof ReactMarkdown>["rehypePlugins"]>;

/** What colours the code of a text. Until that is loaded, and where it cannot be, code stands there in one colour. */
function useColours(text: string): RehypePlugins {
  const [plugins, setPlugins] = useState<RehypePlugins>(() => coloured(COLOURS.loaded()));
  const isWanted = plugins.length === 0 && CODE.test(text);
  useEffect(() => {
    let isGone = false;
    if (isWanted) {
      COLOURS.load().then(
        (plugin) => {
          if (!isGone) {
            setPlugins(coloured(plugin));
          }
        },
        () => undefined,
      );
    }
    return () => {
      isGone = true;
    };
  }, [isWanted]);
  return plugins;
}

const coloured = (plugin: ReturnType<typeof COLOURS.loaded>): RehypePlugins =>
  plugin === undefined ? [] : [[plugin, { detect: false }]];

interface Props {
  children: string;
  /** Other ways to show some elements, such as the numbers of citations. */
  components?: Components;
  remarkPlugins?: ComponentProps<typeof ReactMarkdown>["remarkPlugins"];
}

/**
 * Markdown of documents and models as React elements: no HTML of theirs is ever parsed (react-markdown leaves it out as
 * text), and addresses other than http, https, mailto and relative ones are emptied.
 */
export const Markdown = memo(function Markdown({ children, components, remarkPlugins = [] }: Props) {
  const colours = useColours(children);
  return (
    <div className={styles["markdown"]} dir="auto">
      <ReactMarkdown
        remarkPlugins={[remarkGfm, ...(remarkPlugins ?? [])]}
        rehypePlugins={colours}
        components={{ ...COMPONENTS, ...components }}
      >
        {children}
      </ReactMarkdown>
    </div>
  );
});
