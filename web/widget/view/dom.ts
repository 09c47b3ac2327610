/** Makes elements. Text is only ever text: nothing here, or anywhere in the widget, reads HTML. */

export type Child = Node | string | null;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** A button with a picture: its words are for those who hear it, and for the hint. */
export function iconButton(
  label: string,
  picture: Node,
  className: string,
  onClick: () => void,
): HTMLButtonElement {
  const button = make(
    "button",
    { type: "button", class: className, "aria-label": label, title: label },
    picture,
  );
  button.addEventListener("click", onClick);
  return button;
}

export function textButton(label: string, className: string, onClick: () => void): HTMLButtonElement {
  const button = make("button", { type: "button", class: className }, label);
  button.addEventListener("click", onClick);
  return button;
}

export function rename(button: HTMLElement, label: string): void {
  button.setAttribute("aria-label", label);
  button.title = label;
}
