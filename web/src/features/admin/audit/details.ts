export interface Change {
  name: string;
  before: string;
  after: string;
}

type Details = Readonly<Record<string, unknown>>;

/** The details of an event: what changed, field by field, and all else. */
export function partsOf(details: Details): { changes: Change[]; rest: Details } {
  const { before, after, ...rest } = details;
  const [old, now] = [objectOf(before), objectOf(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return {
    changes: names.map((name) => ({ name, before: shown(old[name]), after: shown(now[name]) })),
    rest,
  };
}

function objectOf(value: unknown): Details {
  return typeof value === "object" && value !== null ? (value as Details) : {};
}

function shown(value: unknown): string {
  return value === undefined || value === null
    ? "–"
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}
