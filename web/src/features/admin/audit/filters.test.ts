import { describe, expect, it } from "vitest";

import { exportAddress, filtersOf, queryOf } from "./filters";

describe("the filters of the audit log", () => {
  it("come from the address and go to the API without what is empty", () => {
    const filters = filtersOf(new URLSearchParams("actor=%20ada@example.com%20&action=key."));
    expect(queryOf(filters)).toEqual({ actor: "ada@example.com", action: "key." });
  });

  it("mean whole days of the reader's zone", () => {
    const { after, before } = queryOf(filtersOf(new URLSearchParams("first=2026-03-01&last=2026-03-01")));
    expect(new Date(after ?? "").getTime()).toBe(new Date("2026-03-01T00:00:00").getTime());
    expect(new Date(before ?? "").getTime()).toBe(new Date("2026-03-02T00:00:00").getTime());
  });

  it("leave out what is no day", () => {
    expect(queryOf(filtersOf(new URLSearchParams("first=x"))).after).toBeUndefined();
  });

  it("hold for the export too, escaped", () => {
    const filters = filtersOf(new URLSearchParams({ text: "a&b" }));
    expect(exportAddress(filters, "csv")).toBe("/api/audit/export/?format=csv&text=a%26b");
  });
});
