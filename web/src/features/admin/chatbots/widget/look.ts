/** How a chatbot's widget looks, as its settings say. */

import { isRecord } from "../../schema-form/schema";

export interface Look {
  title: string;
  greeting: string;
  accent: string;
  position: "start" | "end";
  theme: "auto" | "light" | "dark";
  launcherText: string;
  suggestions: readonly string[];
}

export function lookOf(value: unknown): Look {
  const given = isRecord(value) ? value : {};
  const text = (name: string) => (typeof given[name] === "string" ? given[name] : "");
  const theme = text("theme");
  return {
    title: text("title"),
    greeting: text("greeting"),
    accent: /^#[0-9a-f]{6}$/i.test(text("accent")) ? text("accent") : "#1f5fbf",
    position: text("position") === "start" ? "start" : "end",
    theme: theme === "light" || theme === "dark" ? theme : "auto",
    launcherText: text("launcher_text"),
    suggestions: Array.isArray(given["suggestions"]) ? given["suggestions"].map(String).filter(Boolean) : [],
  };
}

/** White or near-black, whichever is read better on a colour (WCAG 2.2, relative luminance). */
export function inkOn(colour: string): "#ffffff" | "#111111" {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.0556 ? "#ffffff" : "#111111";
}

/** What stands in the page of a web site. */
export function embedTag(origin: string, key: string): string {
  return `<script src="${origin}/widget.js" data-key="${key}" async></script>`;
}
