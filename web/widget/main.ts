/** `widget.js`: a chatbot on any web site, by one tag. See docs/how-to/put-a-chatbot-on-your-site.md. */

import { optionsOf, previewOptions } from "./options";
import { Preview, saidBy } from "./preview";
import { Widget } from "./view/widget";

export interface DragomanWidget {
  open: () => void;
  close: () => void;
  /** Open the panel and ask this. */
  ask: (question: string) => void;
}

declare global {
  interface Window {
    Dragoman?: DragomanWidget;
  }
}

function warnOwner(text: string): void {
  // eslint-disable-next-line no-console -- the owner of the site looks there, and visitors do not
  console.error(`Dragoman widget on ${location.origin}: ${text}`);
}

function start(): void {
  if (window.Dragoman) return; // the tag stands in the page twice
  const { currentScript } = document;
  if (currentScript?.dataset["preview"] !== undefined) {
    startPreview();
    return;
  }
  const options = optionsOf(currentScript instanceof HTMLScriptElement ? currentScript : null);
  if (typeof options === "string") {
    warnOwner(options);
    return;
  }
  let widget: Widget | null = null;
  const wishes: ((widget: Widget) => void)[] = [];
  const wish = (deed: (widget: Widget) => void): void => {
    if (widget) deed(widget);
    else wishes.push(deed);
  };
  window.Dragoman = Object.freeze({
    open: () => wish((each) => each.open()),
    close: () => wish((each) => each.close()),
    ask: (question: string) => wish((each) => each.ask(question)),
  });
  whenBodyIsThere(() => {
    widget = new Widget(options, warnOwner);
    void widget.start();
    for (const deed of wishes) deed(widget);
    window.dispatchEvent(new Event("dragoman:ready"));
  });
}

/** In a frame of the administration: the page around it says what to show. */
function startPreview(): void {
  let shown: { widget: Widget; preview: Preview } | null = null;
  window.addEventListener("message", (event) => {
    const said = saidBy(event);
    if (said === null) return;
    if (shown) {
      shown.preview.said = said;
      void shown.widget.refresh();
      return;
    }
    const preview = new Preview(said);
    shown = { preview, widget: new Widget(previewOptions(said.language), warnOwner, preview) };
    void shown.widget.start();
  });
}

function whenBodyIsThere(deed: () => void): void {
  if (document.querySelector("body")) deed();
  else document.addEventListener("DOMContentLoaded", deed, { once: true });
}

start();
