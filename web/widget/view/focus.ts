/** Keys of the open panel: Tab stays in it, Escape closes it, and the page hears of neither, nor of what is typed. */

const FOCUSABLE = "button:not(:disabled), textarea, a[href], [tabindex='0']";

export function keepFocusIn(panel: HTMLElement, shadow: ShadowRoot, onEscape: () => void): void {
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation(); // shortcuts of the page are not meant
    if (event.key === "Escape" && !event.isComposing) onEscape();
    else if (event.key === "Tab") turnRound(panel, shadow, event);
  });
  for (const kind of ["keyup", "keypress"]) panel.addEventListener(kind, (event) => event.stopPropagation());
}

function turnRound(panel: HTMLElement, shadow: ShadowRoot, event: KeyboardEvent): void {
  const shown = [...panel.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
    (each) => each.getClientRects().length > 0,
  );
  const [leaving, entering] = event.shiftKey ? [shown[0], shown.at(-1)] : [shown.at(-1), shown[0]];
  if (shadow.activeElement !== leaving) return;
  event.preventDefault();
  entering?.focus();
}
