/** Colours that can be read, whatever accent the owner chose (WCAG 2.2, success criterion 1.4.3). */

type Rgb = readonly [number, number, number];

export const READABLE = 4.5;
export const USUAL_ACCENT = "#1f5fbf";

/** The least favourable background that text stands on in each theme. */
export const BACKGROUNDS = { light: "#f3f5f8", dark: "#232b39" } as const;
export type Theme = keyof typeof BACKGROUNDS;

export interface Palette {
  /** The owner's colour, as the background of the button and of questions. */
  fill: string;
  /** Black or white, whichever can be read on it. */
  onFill: string;
  /** The owner's colour as text on the panel: darkened, or in the dark theme lightened, until it can be read. */
  ink: string;
}

export function paletteOf(accent: string, theme: Theme): Palette {
  const fill = parsed(accent) ? accent.toLowerCase() : USUAL_ACCENT;
  return { fill, onFill: readableOn(fill), ink: readableInk(fill, theme) };
}

export function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(rgb(one)), luminance(rgb(other))].sort((a, b) => a - b);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** White where it can be read, else black: one of them always can. */
function readableOn(fill: string): string {
  return contrast("#ffffff", fill) >= READABLE ? "#ffffff" : "#000000";
}

function readableInk(accent: string, theme: Theme): string {
  const background = BACKGROUNDS[theme];
  const end = theme === "light" ? 0 : 255;
  for (let share = 0; share < 1; share += 0.04) {
    const mixed = hex(rgb(accent).map((part) => Math.round(part + (end - part) * share)));
    if (contrast(mixed, background) >= READABLE) return mixed;
  }
  return theme === "light" ? "#000000" : "#ffffff";
}

/** Relative luminance (WCAG 2.2, definition). */
function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

function rgb(colour: string): Rgb {
  return parsed(colour) ?? [0, 0, 0];
}

export function parsed(colour: string): Rgb | null {
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!found) return null;
  const [red, green, blue] = found.slice(1).map((part) => parseInt(part, 16));
  return [red ?? 0, green ?? 0, blue ?? 0];
}

function hex(parts: readonly number[]): string {
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
