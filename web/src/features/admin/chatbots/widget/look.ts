/** How a chatbot's widget looks, as its settings say. */

import { isRecord } from "@/components/schema-form/schema";

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

/** What stands in the page of a web site. */
export function embedTag(origin: string, key: string): string {
  return `<script src="${origin}/widget.js" data-key="${key}" async></script>`;
}
