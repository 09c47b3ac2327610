/** JSON schema of an adapter's settings, as the form reads and writes it. */

export interface JsonSchema {
  properties?: Readonly<Record<string, Property>>;
  required?: readonly string[];
}

export interface Property {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  enum?: readonly string[];
  items?: Property;
  anyOf?: readonly Property[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  writeOnly?: boolean;
}

export type FieldKind = "text" | "secret" | "number" | "switch" | "list" | "choice";

export interface FormField {
  name: string;
  title: string;
  description: string;
  kind: FieldKind;
  required: boolean;
  choices: readonly string[];
  /** Bounds and length. */
  property: Property;
  default: unknown;
}

export type Values = Readonly<Record<string, string | boolean>>;

/** What the API shows instead of a secret. It is never sent back. */
const STARS = /^\*+$/;

export function fieldsOf(schema: JsonSchema): readonly FormField[] {
  const fields = Object.entries(schema.properties ?? {}).map(([name, given]) => {
    const inner = given.anyOf?.find((each) => each.type !== "null") ?? given;
    return {
      name,
      title: words(name),
      description: given.description ?? "",
      kind: kindOf(inner),
      required: schema.required?.includes(name) ?? false,
      choices: inner.enum ?? [],
      property: inner,
      default: given.default,
    };
  });
  return [...fields.filter(({ required }) => required), ...fields.filter(({ required }) => !required)];
}

function kindOf(property: Property): FieldKind {
  if (property.format === "password" || property.writeOnly) {
    return "secret";
  }
  if (property.enum) {
    return "choice";
  }
  switch (property.type) {
    case "boolean":
      return "switch";
    case "integer":
    case "number":
      return "number";
    case "array":
      return "list";
    default:
      return "text";
  }
}

/** `start_urls` as "Start urls": names are the same as in the reference. */
function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function valuesOf(fields: readonly FormField[], settings: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(
    fields.map((field) => [field.name, shown(field, settings[field.name] ?? field.default)]),
  );
}

function shown({ kind }: FormField, value: unknown): string | boolean {
  if (kind === "switch") {
    return value === true;
  }
  if (kind === "secret" || value === null || value === undefined) {
    return "";
  }
  return Array.isArray(value)
    ? value.join("\n")
    : typeof value === "string" || typeof value === "number"
      ? String(value)
      : "";
}

/**
 * What is sent: of a new connector all that is filled in, of an old one what differs from what is stored, with null where
 * a field was emptied. A secret that is left empty stays as it is.
 */
export function settingsOf(
  fields: readonly FormField[],
  values: Values,
  stored: Readonly<Record<string, unknown>> | null,
): Record<string, unknown> {
  const before = stored === null ? null : valuesOf(fields, stored);
  const settings: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name] ?? "";
    const isSame = before !== null && before[field.name] === value;
    const isEmpty = typeof value === "string" && value.trim() === "";
    if (isSame || (isEmpty && (before === null || field.kind === "secret"))) {
      continue;
    }
    if (typeof value === "string" && STARS.test(value) && field.kind === "secret") {
      continue;
    }
    settings[field.name] = isEmpty ? null : written(field, value);
  }
  return settings;
}

function written({ kind }: FormField, value: string | boolean): unknown {
  if (typeof value === "boolean") {
    return value;
  }
  if (kind === "number") {
    return Number(value);
  }
  return kind === "list"
    ? value
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean)
    : value.trim();
}
