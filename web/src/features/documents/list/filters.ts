/** The filters of the list, as they stand in the address of the page and as the API asks for them. */

import {
  CONTENT_TYPES,
  isOneOf,
  STATES,
  type ContentType,
  type DocumentState,
  type Visibility,
} from "../types";

export const SORTS = ["newest", "oldest", "title", "size", "quality"] as const;
export const SOURCES = ["upload", "url", "connector"] as const;
export const APPROVALS = ["pending", "approved", "rejected"] as const;
export const PAGE_SIZES = [25, 50, 100, 200] as const;
const VISIBILITIES = ["shared", "private"] as const;

export interface Filters {
  search: string;
  state: DocumentState | null;
  approval: (typeof APPROVALS)[number] | null;
  content_type: ContentType | null;
  category: string;
  tag: string;
  language: string;
  visibility: Visibility | null;
  source: (typeof SOURCES)[number] | null;
  connector_id: string;
  min_quality: number | null;
  uploaded_after: string;
  uploaded_before: string;
  sort: (typeof SORTS)[number];
  limit: number;
  offset: number;
}

const DEFAULT_LIMIT = 50;

export function filtersOf(query: URLSearchParams): Filters {
  const chosen = <T extends string>(name: string, values: readonly T[]): T | null => {
    const value = query.get(name);
    return isOneOf(values, value) ? value : null;
  };
  const free = (name: keyof Filters) => query.get(name)?.trim() ?? "";
  const quality = Number(query.get("min_quality") ?? "");
  const limit = Number(query.get("limit"));
  return {
    search: free("search"),
    state: chosen("state", STATES),
    approval: chosen("approval", APPROVALS),
    content_type: chosen("content_type", CONTENT_TYPES),
    category: free("category"),
    tag: free("tag"),
    language: free("language"),
    visibility: chosen("visibility", VISIBILITIES),
    source: chosen("source", SOURCES),
    connector_id: free("connector_id"),
    min_quality: quality > 0 && quality <= 1 ? quality : null,
    uploaded_after: dayOf(query.get("uploaded_after")),
    uploaded_before: dayOf(query.get("uploaded_before")),
    sort: chosen("sort", SORTS) ?? "newest",
    limit: PAGE_SIZES.find((size) => size === limit) ?? DEFAULT_LIMIT,
    offset: Math.max(0, Math.trunc(Number(query.get("offset")) || 0)),
  };
}

/** The address with some filters changed. Whatever is as usual is left out; a new filter begins at the first page. */
export function withFilters(query: URLSearchParams, change: Partial<Filters>): URLSearchParams {
  const filters = { ...filtersOf(query), offset: 0, ...change };
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    const usual =
      value === null ||
      value === "" ||
      (name === "sort" && value === "newest") ||
      (name === "limit" && value === DEFAULT_LIMIT) ||
      (name === "offset" && value === 0);
    if (!usual) {
      next.set(name, String(value));
    }
  }
  return next;
}

/** What the API is asked. Days are those of the reader's clock: `uploaded_before` takes in its whole day. */
export function queryOf(filters: Filters) {
  return {
    search: filters.search || null,
    state: filters.state,
    approval: filters.approval,
    content_type: filters.content_type,
    category: filters.category || null,
    tag: filters.tag || null,
    language: filters.language || null,
    visibility: filters.visibility,
    source: filters.source,
    connector_id: filters.connector_id || null,
    min_quality: filters.min_quality,
    uploaded_after: filters.uploaded_after ? midnight(filters.uploaded_after, 0) : null,
    uploaded_before: filters.uploaded_before ? midnight(filters.uploaded_before, 1) : null,
    sort: filters.sort,
    limit: filters.limit,
    offset: filters.offset,
  };
}

const NARROWING = [
  "approval",
  "content_type",
  "category",
  "tag",
  "language",
  "visibility",
  "source",
  "connector_id",
  "min_quality",
  "uploaded_after",
  "uploaded_before",
] as const satisfies readonly (keyof Filters)[];

/** How many of the filters behind the button "Filters" are set. */
export function countNarrowing(filters: Filters): number {
  return NARROWING.filter((name) => filters[name] !== null && filters[name] !== "").length;
}

export function isNarrowed(filters: Filters): boolean {
  return filters.search !== "" || filters.state !== null || countNarrowing(filters) > 0;
}

export const NO_FILTERS: Partial<Filters> = {
  search: "",
  state: null,
  ...Object.fromEntries(NARROWING.map((name) => [name, null])),
};

function dayOf(text: string | null): string {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}

function midnight(day: string, daysLater: number): string {
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + daysLater);
  return at.toISOString();
}
