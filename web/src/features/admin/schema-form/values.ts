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
