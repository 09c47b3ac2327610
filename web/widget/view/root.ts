/** The widget's own place in the page: a closed shadow root in the top layer, with style sheets that no policy forbids. */

import type { Palette } from "../colours";
import css from "./style.css?inline";

const palettes = new WeakMap<ShadowRoot, CSSStyleSheet>();

export function attach(root: HTMLElement): ShadowRoot {
  const host = document.createElement("dragoman-widget");
  const shadow = host.attachShadow({ mode: "closed" });
  const palette = new CSSStyleSheet();
  palettes.set(shadow, palette);
  // Sheets that a script makes need no style-src, and nothing here is inline.
  shadow.adoptedStyleSheets = [sheetOf(css), palette];
  shadow.append(root);
  document.body.append(host);
  toTopLayer(host);
  return shadow;
}

export function setPalette(shadow: ShadowRoot, { fill, onFill, ink }: Palette): void {
  palettes.get(shadow)?.replaceSync(`.root{--fill:${fill};--on-fill:${onFill};--ink:${ink}}`);
}

function sheetOf(text: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}

/** Above all of the page, and out of reach of transforms, filters and overflow of what stands around it. */
function toTopLayer(host: HTMLElement): void {
  if (typeof host.showPopover !== "function") return; // browsers before 2024: position and z-index have to do
  host.popover = "manual";
  host.showPopover();
}
