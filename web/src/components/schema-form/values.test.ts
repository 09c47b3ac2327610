import { describe, expect, it } from "vitest";

import { fieldsOf, requiredFirst, type JsonSchema } from "./schema";
import { begun, changesOf, faultOf, filled, settingsOf } from "./values";

const ROOT = {
  components: {
    schemas: {
      Settings: {
        type: "object",
        required: ["bucket"],
        properties: {
          bucket: { type: "string", maxLength: 5, pattern: "^[a-z]*$" },
          max_quotes: { type: "integer", minimum: 1, maximum: 8, default: 2 },
          share: { anyOf: [{ type: "number", minimum: 0, maximum: 1 }, { type: "null" }] },
          grounding: { type: "string", enum: ["flag", "off"], default: "flag" },
          downloads: { type: "boolean", default: true },
          hosts: { type: "array", items: { type: "string" }, maxItems: 2 },
          models: { anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }] },
          glossary: { type: "array", items: { $ref: "#/components/schemas/Term" } },
          widget: { $ref: "#/components/schemas/Look" },
          anything: { type: "array", items: { anyOf: [{ type: "string" }, { type: "object" }] } },
          api_key: { anyOf: [{ type: "string", format: "password", writeOnly: true }, { type: "null" }] },
        },
      } satisfies JsonSchema,
      Term: {
        type: "object",
        required: ["term"],
        properties: {
          term: { type: "string" },
          translations: { type: "object", additionalProperties: { type: "string" } },
        },
      },
      Look: {
        type: "object",
        properties: { title: { type: "string", default: "" }, theme: { enum: ["a"], default: "a" } },
      },
    },
  },
};
const FIELDS = fieldsOf({ $ref: "#/components/schemas/Settings" }, ROOT);
const field = (name: string) => {
  const found = FIELDS.find((each) => each.name === name);
  if (found === undefined) {
    throw new Error(`no field ${name}`);
  }
  return found;
};

describe("a schema as fields", () => {
  it.each([
    ["bucket", "text"],
    ["max_quotes", "integer"],
    ["share", "number"],
    ["grounding", "choice"],
    ["downloads", "switch"],
    ["hosts", "list"],
    ["models", "list"],
    ["glossary", "rows"],
    ["widget", "group"],
    ["anything", "json"],
    ["api_key", "text"],
  ])("shows %s as %s", (name, kind) => {
    expect(field(name).kind).toBe(kind);
  });

  it("knows what may be empty, what must be there and what is secret", () => {
    expect(field("share").isNullable).toBe(true);
    expect(field("max_quotes").isNullable).toBe(false);
    expect(field("bucket").isRequired).toBe(true);
    expect(field("api_key").isSecret).toBe(true);
  });

  it("has a default for each field, also where the schema names none", () => {
    expect(filled(FIELDS, { max_quotes: 3 })).toMatchObject({
      max_quotes: 3,
      share: null,
      downloads: true,
      hosts: [],
      models: null,
      widget: { title: "", theme: "a" },
    });
  });
});

describe("what is sent", () => {
  const before = filled(FIELDS, { bucket: "b", glossary: [{ term: "x", translations: { de: "y" } }] });

  it("is nothing where nothing changed, in depth", () => {
    const after = { ...before, glossary: [{ term: "x", translations: { de: "y" } }], hosts: [] };
    expect(changesOf(FIELDS, before, after)).toEqual({});
  });

  it("is only what changed", () => {
    const after = { ...before, downloads: false, glossary: [{ term: "x", translations: { de: "z" } }] };
    expect(changesOf(FIELDS, before, after)).toEqual({
      downloads: false,
      glossary: [{ term: "x", translations: { de: "z" } }],
    });
  });

  it("is null for what gets its default back", () => {
    expect(changesOf(FIELDS, { ...before, max_quotes: 5 }, before, new Set(["max_quotes"]))).toEqual({
      max_quotes: null,
    });
  });
});

describe("what is wrong with a value", () => {
  it.each([
    ["max_quotes", 8, null],
    ["max_quotes", 9, "most"],
    ["max_quotes", 0, "least"],
    ["max_quotes", 1.5, "integer"],
    ["max_quotes", "a", "number"],
    ["max_quotes", "", "number"],
    ["share", null, null],
    ["share", 1.01, "most"],
    ["bucket", "", "required"],
    ["bucket", "abcdef", "long"],
    ["bucket", "A", "pattern"],
    ["hosts", ["a", "b", "c"], "many"],
    ["glossary", [{ term: "" }], "required"],
    ["anything", "[oops", "json"],
  ])("%s = %j: %s", (name, value, fault) => {
    expect(faultOf(field(name), value)?.key ?? null).toBe(fault);
  });
});

describe("a form that is sent as a whole", () => {
  const fields = requiredFirst(
    fieldsOf({
      required: ["bucket"],
      properties: {
        watch: { type: "boolean", default: true },
        exclude: { type: "array", items: { type: "string" }, default: [] },
        max_size_mib: { type: "integer", minimum: 1, maximum: 512, default: 100 },
        secret_access_key: {
          anyOf: [{ type: "string", format: "password", writeOnly: true }, { type: "null" }],
        },
        region: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
        bucket: { type: "string", minLength: 3 },
      },
    }),
  );

  it("asks first for what must be given, and for each in its way", () => {
    expect(fields.map(({ name, kind, isSecret }) => [name, kind, isSecret])).toEqual([
      ["bucket", "text", false],
      ["watch", "switch", false],
      ["exclude", "list", false],
      ["max_size_mib", "integer", false],
      ["secret_access_key", "text", true],
      ["region", "text", false],
    ]);
  });

  it("begins with the defaults", () => {
    expect(begun(fields, {})).toMatchObject({ watch: true, exclude: [], max_size_mib: 100, bucket: "" });
  });

  it("sends what is filled in", () => {
    const values = {
      ...begun(fields, {}),
      bucket: " archive ",
      exclude: ["a/*", "", " b "],
      secret_access_key: "x",
    };
    expect(settingsOf(fields, values, null)).toEqual({
      bucket: "archive",
      watch: true,
      exclude: ["a/*", "b"],
      max_size_mib: 100,
      secret_access_key: "x",
    });
  });

  it("sends of what is stored what differs, and no stars", () => {
    const stored = { bucket: "archive", exclude: ["a"], secret_access_key: "**********", region: "eu" };
    const values = begun(fields, stored);
    expect(values["secret_access_key"]).toBe("");
    expect(settingsOf(fields, values, stored)).toEqual({});
    expect(settingsOf(fields, { ...values, secret_access_key: "***" }, stored)).toEqual({});
    expect(settingsOf(fields, { ...values, region: "", exclude: [""], max_size_mib: 5 }, stored)).toEqual({
      region: null,
      exclude: null,
      max_size_mib: 5,
    });
  });
});
