/** A JSON schema, as pydantic writes it, as the fields of a form. */

export interface JsonSchema {
  $ref?: string;
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: readonly JsonSchema[];
  allOf?: readonly JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  required?: readonly string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  writeOnly?: boolean;
}

export type Kind =
  "switch" | "choice" | "integer" | "number" | "text" | "list" | "rows" | "pairs" | "group" | "json";

export interface FormField {
  name: string;
  kind: Kind;
  /** For people, where no translation of the name is at hand. */
  title: string;
  description: string;
  isRequired: boolean;
  isSecret: boolean;
  /** Empty means: what the installation has, or none. */
  isNullable: boolean;
  default: unknown;
  options: readonly string[];
  /** Of a group, and of each row. */
  fields: readonly FormField[];
  bounds: JsonSchema;
}

/** The fields of an object. `root` is the document that `$ref` points into. */
export function fieldsOf(schema: JsonSchema, root: object = schema): FormField[] {
  const whole = resolved(schema, root);
  const required = new Set(whole.required);
  return Object.entries(whole.properties ?? {}).map(([name, property]) =>
    fieldOf(name, property, root, required.has(name)),
  );
}

function fieldOf(name: string, property: JsonSchema, root: object, isRequired: boolean): FormField {
  const whole = resolved(property, root);
  const choices = (whole.anyOf ?? []).map((each) => resolved(each, root));
  const real = choices.filter((each) => each.type !== "null");
  const [only] = real;
  const bounds = only === undefined ? whole : real.length === 1 ? only : {};
  const kind = kindOf(bounds, root);
  const inner = kind === "rows" ? bounds.items : kind === "group" ? bounds : undefined;
  const field = {
    name,
    kind,
    title: whole.title ?? named(name),
    description: whole.description ?? bounds.description ?? "",
    isRequired,
    isSecret: bounds.format === "password" || bounds.writeOnly === true,
    isNullable: real.length < choices.length,
    options: (bounds.enum ?? []).map(String),
    fields: inner === undefined ? [] : fieldsOf(inner, root),
    bounds,
  };
  return { ...field, default: whole.default ?? emptyOf(field) };
}

function kindOf(schema: JsonSchema, root: object): Kind {
  if (schema.enum?.every((each) => typeof each === "string")) {
    return "choice";
  }
  switch (schema.type) {
    case "boolean":
      return "switch";
    case "integer":
      return "integer";
    case "number":
      return "number";
    case "string":
      return "text";
    case "array": {
      const items = resolved(schema.items ?? {}, root);
      return items.type === "string" ? "list" : items.properties ? "rows" : "json";
    }
    case "object":
      return schema.properties ? "group" : areTexts(schema.additionalProperties) ? "pairs" : "json";
    default:
      return "json";
  }
}

function areTexts(schema: boolean | JsonSchema | undefined): boolean {
  return typeof schema === "object" && schema.type === "string";
}

/** What is there when nobody has said anything, and the schema does not say it either. */
export function emptyOf(field: Pick<FormField, "kind" | "isNullable" | "fields">): unknown {
  if (field.isNullable) {
    return null;
  }
  switch (field.kind) {
    case "list":
    case "rows":
      return [];
    case "pairs":
      return {};
    case "group":
      return Object.fromEntries(field.fields.map((each) => [each.name, each.default]));
    case "switch":
      return false;
    case "text":
      return "";
    default:
      return null;
  }
}

function resolved(schema: JsonSchema, root: object): JsonSchema {
  const reference = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined);
  if (reference === undefined) {
    return schema;
  }
  const target = reference
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), root);
  return isRecord(target) ? { ...resolved(target, root), ...schema } : schema;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What has to be given comes first. */
export function requiredFirst(fields: readonly FormField[]): readonly FormField[] {
  return [...fields.filter((each) => each.isRequired), ...fields.filter((each) => !each.isRequired)];
}

/** `max_size_mib` as "Max size mib". */
export function named(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
