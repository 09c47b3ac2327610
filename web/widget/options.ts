/** What the tag says: `<script src="https://host/widget.js" data-key="dgw_…" data-language="de" async></script>`. */

import { parsed } from "./colours";

export interface Options {
  /** Where the API is: what stands before `/widget.js`. */
  base: string;
  key: string;
  language: string | undefined;
  open: boolean;
  position: string | undefined;
  accent: string | undefined;
  theme: string | undefined;
}

/** The options of a tag, or what is wrong with it, for the owner of the site. */
export function optionsOf(script: HTMLScriptElement | null): Options | string {
  if (!script?.src)
    return 'include the widget by a tag: <script src="https://…/widget.js" data-key="dgw_…" async></script>';
  const { key, language, open, position, accent, theme } = script.dataset;
  if (!key?.startsWith("dgw_")) return 'the tag needs the public widget key: data-key="dgw_…"';
  return {
    base: new URL(".", script.src).href.replace(/\/$/, ""),
    key,
    language,
    open: open !== undefined && open !== "false",
    position: oneOf(position, "start", "end"),
    accent: accent !== undefined && parsed(accent) ? accent : undefined,
    theme: oneOf(theme, "auto", "light", "dark"),
  };
}

/** Those of a preview: everything else comes with its look. */
export function previewOptions(language: string): Options {
  return {
    base: "",
    key: "",
    language,
    open: true,
    position: undefined,
    accent: undefined,
    theme: undefined,
  };
}

function oneOf(given: string | undefined, ...allowed: string[]): string | undefined {
  return allowed.find((each) => each === given);
}
