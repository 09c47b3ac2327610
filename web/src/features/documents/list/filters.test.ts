import { describe, expect, it } from "vitest";

import { countNarrowing, filtersOf, isNarrowed, NO_FILTERS, queryOf, withFilters } from "./filters";

const read = (text: string) => filtersOf(new URLSearchParams(text));

describe("filters in the address", () => {
  it("come back as they were written", () => {
    const query = withFilters(new URLSearchParams(), {
      search: "return policy",
      state: "failed",
      tag: "2027",
      min_quality: 0.7,
      sort: "size",
      limit: 100,
      uploaded_after: "2026-01-31",
      offset: 200,
    });
    expect(withFilters(query, { offset: 200 }).toString()).toBe(query.toString());
    expect(filtersOf(query)).toMatchObject({
      search: "return policy",
      state: "failed",
      limit: 100,
      offset: 200,
    });
  });

  it("leave out what is usual", () => {
    expect(withFilters(new URLSearchParams("sort=newest&limit=50&offset=0&search="), {}).toString()).toBe("");
  });

  it("ignore what nobody can mean", () => {
    const filters = read("state=deleted&sort=random&limit=7&offset=-3&min_quality=9&uploaded_after=soon");
    expect(filters).toMatchObject({ state: null, sort: "newest", limit: 50, offset: 0, min_quality: null });
    expect(filters.uploaded_after).toBe("");
  });

  it("begin at the first page when one changes", () => {
    expect(withFilters(new URLSearchParams("offset=100&tag=a"), { tag: "b" }).toString()).toBe("tag=b");
  });

  it("are all taken away by NO_FILTERS, and the order stays", () => {
    const query = new URLSearchParams(
      "search=a&state=ready&tag=b&min_quality=0.5&uploaded_before=2026-02-01&sort=title",
    );
    expect(isNarrowed(filtersOf(query))).toBe(true);
    expect(countNarrowing(filtersOf(query))).toBe(3);
    const none = withFilters(query, NO_FILTERS);
    expect(none.toString()).toBe("sort=title");
    expect(isNarrowed(filtersOf(none))).toBe(false);
  });
});

describe("what the API is asked", () => {
  it("says nothing where nothing is filtered", () => {
    expect(queryOf(read(""))).toMatchObject({
      search: null,
      tag: null,
      connector_id: null,
      uploaded_after: null,
    });
  });

  it("takes in the whole last day", () => {
    const { uploaded_after, uploaded_before } = queryOf(
      read("uploaded_after=2026-03-01&uploaded_before=2026-03-01"),
    );
    const hours = (Date.parse(uploaded_before ?? "") - Date.parse(uploaded_after ?? "")) / 3_600_000;
    expect(hours).toBe(24);
  });
});
