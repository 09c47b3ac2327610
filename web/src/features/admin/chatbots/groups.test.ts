import { describe, expect, it } from "vitest";

import { fieldsOf } from "@/components/schema-form/schema";
import { fieldsIn, groupOf } from "./groups";

describe("the groups of settings", () => {
  it("show a setting that nobody has sorted", () => {
    const fields = fieldsOf({
      type: "object",
      properties: { brand_new: { type: "boolean" }, pii: { enum: ["off"] } },
    });
    expect(fieldsIn("other", fields).map((field) => field.name)).toEqual(["brand_new"]);
    expect(fieldsIn("privacy", fields).map((field) => field.name)).toEqual(["pii"]);
  });

  it("leave to its own page what has one", () => {
    expect(groupOf("widget")).toBeNull();
  });
});
