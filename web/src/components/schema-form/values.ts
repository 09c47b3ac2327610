/** What a form holds: which of it was changed, and what of it cannot be. */

import { isRecord, type FormField } from "./schema";

export type Values = Readonly<Record<string, unknown>>;

export interface Fault {
  /** Under `form.faults` in the texts. */
  key: "required" | "number" | "integer" | "least" | "most" | "more" | "long" | "many" | "pattern" | "json";
  count?: number;
}

export function same(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((each, at) => same(each, other[at]));
  }
  if (isRecord(one) && isRecord(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].every((key) => same(one[key], other[key]));
  }
  return Object.is(one, other);
}

/** The value of each field: what is given, else its default. */
export function filled(fields: readonly FormField[], given: Values): Values {
  return Object.fromEntries(fields.map((field) => [field.name, given[field.name] ?? field.default]));
}

/** What the API shows instead of a secret. It is never sent back. */
const STARS = /^\*+$/;

/** What a form begins with that is sent as a whole: an empty field where a secret is stored. */
export function begun(fields: readonly FormField[], stored: Values): Values {
  const shown = Object.entries(filled(fields, stored)).map(([name, value]) => {
    const isSecret = fields.find((field) => field.name === name)?.isSecret ?? false;
    return [name, isSecret && typeof value === "string" && STARS.test(value) ? "" : value];
  });
  return Object.fromEntries(shown) as Values;
}

/**
 * What such a form sends: all that is filled in where nothing is stored yet, else what differs from what is stored, with
 * null where a field was emptied. A secret that is left empty stays as it is.
 */
export function settingsOf(
  fields: readonly FormField[],
  values: Values,
  stored: Values | null,
): Record<string, unknown> {
  const before = stored === null ? null : begun(fields, stored);
  const settings: Record<string, unknown> = {};
  for (const field of fields) {
    const value = trimmed(values[field.name]);
    const isEmpty = value === null || value === "" || same(value, []);
    const isKept = before !== null && same(value, trimmed(before[field.name]));
    const isStars = field.isSecret && typeof value === "string" && STARS.test(value);
    if (!isKept && !isStars && !(isEmpty && (before === null || field.isSecret))) {
      settings[field.name] = isEmpty ? null : value;
    }
  }
  return settings;
}

function trimmed(value: unknown): unknown {
  if (typeof value === "string") {
    return value.trim();
  }
  return Array.isArray(value) && value.every((each) => typeof each === "string")
    ? value.map((line) => line.trim()).filter(Boolean)
    : (value ?? null);
}

/** What is to be sent: only what is another now. Null brings a default back, so what was `reset` is sent as null. */
export function changesOf(
  fields: readonly FormField[],
  before: Values,
  after: Values,
  reset: ReadonlySet<string> = new Set(),
): Record<string, unknown> {
  return Object.fromEntries(
    fields
      .filter((field) => reset.has(field.name) || !same(before[field.name], after[field.name]))
      .map((field) => [field.name, reset.has(field.name) ? null : after[field.name]]),
  );
}

/** What is wrong with a value; null where nothing is. The server says the last word. */
export function faultOf(field: FormField, value: unknown): Fault | null {
  if (value === null || value === "" || value === undefined) {
    return field.isRequired && !field.isNullable ? { key: "required" } : emptyFault(field, value);
  }
  switch (field.kind) {
    case "integer":
    case "number":
      return numberFault(field, value);
    case "text":
      return typeof value === "string" ? textFault(field, value) : null;
    case "list":
    case "rows":
      return Array.isArray(value) && value.length > (field.bounds.maxItems ?? Infinity)
        ? { key: "many", count: field.bounds.maxItems ?? 0 }
        : rowsFault(field, value);
    case "group":
      return isRecord(value) ? firstFault(field.fields, value) : null;
    case "json":
      return typeof value === "string" ? { key: "json" } : null;
    default:
      return null;
  }
}

export function firstFault(fields: readonly FormField[], values: Values): Fault | null {
  for (const field of fields) {
    const fault = faultOf(field, values[field.name]);
    if (fault !== null) {
      return fault;
    }
  }
  return null;
}

function emptyFault(field: FormField, value: unknown): Fault | null {
  const wantsNumber = field.kind === "integer" || field.kind === "number";
  return wantsNumber && value === "" && !field.isNullable && field.default !== null
    ? { key: "number" }
    : null;
}

function numberFault(field: FormField, value: unknown): Fault | null {
  const { minimum, maximum, exclusiveMinimum } = field.bounds;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    return { key: "number" };
  }
  if (field.kind === "integer" && !Number.isInteger(value)) {
    return { key: "integer" };
  }
  if (minimum !== undefined && value < minimum) {
    return { key: "least", count: minimum };
  }
  if (maximum !== undefined && value > maximum) {
    return { key: "most", count: maximum };
  }
  return exclusiveMinimum !== undefined && value <= exclusiveMinimum
    ? { key: "more", count: exclusiveMinimum }
    : null;
}

function textFault(field: FormField, value: string): Fault | null {
  const { maxLength, pattern } = field.bounds;
  if (maxLength !== undefined && Array.from(value).length > maxLength) {
    return { key: "long", count: maxLength };
  }
  return pattern !== undefined && !new RegExp(pattern, "u").test(value) ? { key: "pattern" } : null;
}

function rowsFault(field: FormField, value: unknown): Fault | null {
  if (field.kind !== "rows" || !Array.isArray(value)) {
    return null;
  }
  for (const row of value) {
    const fault = isRecord(row) ? firstFault(field.fields, row) : null;
    if (fault !== null) {
      return fault;
    }
  }
  return null;
}
