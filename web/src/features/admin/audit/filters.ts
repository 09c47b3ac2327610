/** What of the audit log is wanted: kept in the address, so that it can be linked to. */

export const NAMES = ["actor", "action", "subject_type", "text", "first", "last"] as const;
export type Filters = Readonly<Record<(typeof NAMES)[number], string>>;

export function filtersOf(query: URLSearchParams): Filters {
  const [actor, action, subject_type, text, first, last] = NAMES.map((name) => query.get(name) ?? "");
  return {
    actor: actor ?? "",
    action: action ?? "",
    subject_type: subject_type ?? "",
    text: text ?? "",
    first: first ?? "",
    last: last ?? "",
  };
}

/** Days are those of the reader's time zone: from the first moment of one to the end of the other. */
export function queryOf(filters: Filters) {
  const midnight = (day: string, later = 0) => {
    const at = new Date(`${day}T00:00:00`);
    at.setDate(at.getDate() + later);
    return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
  };
  return {
    actor: filters.actor.trim() || undefined,
    action: filters.action.trim() || undefined,
    subject_type: filters.subject_type.trim() || undefined,
    text: filters.text.trim() || undefined,
    after: filters.first ? midnight(filters.first) : undefined,
    before: filters.last ? midnight(filters.last, 1) : undefined,
  };
}

export function exportAddress(filters: Filters, format: "csv" | "jsonl"): string {
  const query = new URLSearchParams({ format });
  Object.entries(queryOf(filters)).forEach(([name, value]) => {
    if (value !== undefined) {
      query.set(name, value);
    }
  });
  return `/api/audit/export/?${query.toString()}`;
}
