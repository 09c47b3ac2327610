/** Which days the pages tell of. Days are those of UTC, as the API counts them. */

export const SPANS = ["24h", "7d", "30d", "90d", "1y", "own"] as const;
export type Span = (typeof SPANS)[number];

export interface Range {
  span: Span;
  /** First and last day, both included: `2026-03-31`. */
  from: string;
  to: string;
  by: "hour" | "day";
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DAYS: Record<Exclude<Span, "own">, number> = { "24h": 2, "7d": 7, "30d": 30, "90d": 90, "1y": 365 };
/** A period of the API has 400 days at most. */
const MOST_DAYS = 400;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function isDay(text: string | null): text is string {
  return text !== null && DAY.test(text) && !Number.isNaN(Date.parse(text));
}

export function daysIn(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1;
}

/** The range in the address of the page; 30 days where it says nothing that can be read. */
export function readRange(params: URLSearchParams, now: number = Date.now()): Range {
  const today = dayOf(now);
  const wanted = params.get("range");
  const span = SPANS.find((each) => each === wanted) ?? "30d";
  if (span !== "own") {
    return {
      span,
      from: dayOf(now - (DAYS[span] - 1) * DAY_MS),
      to: today,
      by: span === "24h" ? "hour" : "day",
    };
  }
  const [first, last] = [params.get("from"), params.get("to")];
  const until = isDay(last) && last <= today ? last : today;
  const since = isDay(first) && first <= until ? first : until;
  const days = Math.min(MOST_DAYS, daysIn(since, until));
  const from = dayOf(Date.parse(until) - (days - 1) * DAY_MS);
  return { span, from, to: until, by: days <= 2 ? "hour" : "day" };
}

/** Where the buckets of a range begin, oldest first: of 24 hours the last 24, else each hour or day. */
export function bucketsOf(range: Range, now: number = Date.now()): readonly number[] {
  const step = range.by === "hour" ? HOUR_MS : DAY_MS;
  const thisHour = Math.floor(now / HOUR_MS) * HOUR_MS;
  const end = Math.min(Date.parse(range.to) + DAY_MS - step, range.by === "hour" ? thisHour : Infinity);
  const start = range.span === "24h" ? end - 23 * HOUR_MS : Date.parse(range.from);
  return Array.from(
    { length: Math.max(0, Math.round((end - start) / step) + 1) },
    (_, at) => start + at * step,
  );
}
