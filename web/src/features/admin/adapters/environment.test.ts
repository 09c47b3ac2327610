import { describe, expect, it } from "vitest";

import { fieldsOf } from "@/components/schema-form/schema";
import { filled } from "@/components/schema-form/values";
import type { Adapter } from "./api";
import { environmentLines, quoted } from "./environment";

describe("a value of the environment", () => {
  it.each([
    ["http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"],
    ["", "''"],
    ["two words", "'two words'"],
    ['a$b`c"d\\e', "'a$b`c\"d\\e'"],
    ["#no comment", "'#no comment'"],
    ["it's $5", '"it\'s \\$5"'],
    ['["a","b"]', `'["a","b"]'`],
    ["a\nb", "'a\nb'"],
  ])("%j is written %s", (value, line) => {
    expect(quoted(value)).toBe(line);
  });
});

describe("the lines of an adapter", () => {
  const adapter: Adapter = {
    name: "s3",
    description: "",
    is_used: false,
    is_installed: true,
    extras: [],
    settings_schema: {
      type: "object",
      required: ["bucket"],
      properties: {
        bucket: { type: "string" },
        region: { type: "string", default: "us-east-1" },
        path_style: { anyOf: [{ type: "boolean" }, { type: "null" }], default: null },
        include: { type: "array", items: { type: "string" }, default: ["*"] },
      },
    },
    settings: ["bucket", "region", "path_style", "include"].map((name) => ({
      name,
      variable: `DRAGOMAN_BLOB_STORE_S3_${name.toUpperCase()}`,
      is_required: name === "bucket",
      is_secret: false,
    })),
  };
  const fields = fieldsOf(adapter.settings_schema);

  it("name the adapter, and what is not at its default", () => {
    const values = filled(fields, { bucket: "my docs", path_style: false, include: ["*.pdf", "*.md"] });
    expect(environmentLines("blob_store", adapter, fields, values)).toEqual([
      "DRAGOMAN_BLOB_STORE=s3",
      "DRAGOMAN_BLOB_STORE_S3_BUCKET='my docs'",
      "DRAGOMAN_BLOB_STORE_S3_PATH_STYLE=false",
      `DRAGOMAN_BLOB_STORE_S3_INCLUDE='["*.pdf","*.md"]'`,
    ]);
  });

  it("do not name it where no variable chooses", () => {
    expect(environmentLines("extractor", adapter, fields, filled(fields, {}))).toEqual([]);
  });
});
