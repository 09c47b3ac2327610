/** Settings of the installation as lines of its environment, to be pasted into a shell or a `.env` file. */

import type { FormField } from "@/components/schema-form/schema";
import { same, type Values } from "@/components/schema-form/values";
import type { Adapter } from "./api";

/** `export`s are not written: both readers take the lines as they are. Fields at their default need none. */
export function environmentLines(
  port: string,
  adapter: Adapter,
  fields: readonly FormField[],
  values: Values,
): string[] {
  const chosen = CHOSEN_BY_VARIABLE.has(port)
    ? [`DRAGOMAN_${port.toUpperCase()}=${quoted(adapter.name)}`]
    : [];
  const settings = adapter.settings.flatMap(({ name, variable }) => {
    const field = fields.find((each) => each.name === name);
    const value = values[name];
    return variable === null || field === undefined || isLeftOut(field, value)
      ? []
      : [`${variable}=${quoted(written(value))}`];
  });
  return [...chosen, ...settings];
}

/** Ports of which the installation has one adapter, named by a variable. Of the others all are used, or a chatbot chooses. */
const CHOSEN_BY_VARIABLE: ReadonlySet<string> = new Set([
  "blob_store",
  "embedder",
  "judge",
  "keyword_index",
  "language_detector",
  "llm",
  "mailer",
  "malware_scanner",
  "ocr",
  "translator",
  "vector_index",
]);

function isLeftOut(field: FormField, value: unknown): boolean {
  return (
    value === null || value === undefined || value === "" || (!field.isRequired && same(value, field.default))
  );
}

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** In single quotes a shell and python-dotenv take everything as it stands, but for the quote itself. */
export function quoted(value: string): string {
  if (/^[\w@%+=:,./-]+$/.test(value)) {
    return value;
  }
  return value.includes("'") ? `"${value.replace(/["\\$`]/g, "\\$&")}"` : `'${value}'`;
}
