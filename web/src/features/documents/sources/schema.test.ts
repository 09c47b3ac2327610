import { describe, expect, it } from "vitest";

import { fieldsOf, settingsOf, valuesOf, type JsonSchema } from "./schema";

const SCHEMA: JsonSchema = {
  required: ["bucket"],
  properties: {
    watch: { type: "boolean", default: true },
    exclude: { type: "array", items: { type: "string" }, default: [] },
    max_size_mib: { type: "integer", minimum: 1, maximum: 512, default: 100 },
    secret_access_key: { anyOf: [{ type: "string", format: "password", writeOnly: true }, { type: "null" }] },
    region: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    bucket: { type: "string", minLength: 3 },
  },
};
const fields = fieldsOf(SCHEMA);

describe("a form from a JSON schema", () => {
  it("asks first for what must be given, and for each in its way", () => {
    expect(fields.map(({ name, kind }) => [name, kind])).toEqual([
      ["bucket", "text"],
      ["watch", "switch"],
      ["exclude", "list"],
      ["max_size_mib", "number"],
      ["secret_access_key", "secret"],
      ["region", "text"],
    ]);
  });

  it("begins with the defaults", () => {
    expect(valuesOf(fields, {})).toMatchObject({ watch: true, exclude: "", max_size_mib: "100", bucket: "" });
  });

  it("sends what is filled in", () => {
    const values = {
      ...valuesOf(fields, {}),
      bucket: " archive ",
      exclude: "a/*\n\n b ",
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

  it("sends of a stored connector what differs, and no stars", () => {
    const stored = { bucket: "archive", exclude: ["a"], secret_access_key: "**********", region: "eu" };
    const values = valuesOf(fields, stored);
    expect(values["secret_access_key"]).toBe("");
    expect(settingsOf(fields, values, stored)).toEqual({});
    expect(settingsOf(fields, { ...values, region: "", max_size_mib: "5" }, stored)).toEqual({
      region: null,
      max_size_mib: 5,
    });
  });
});
