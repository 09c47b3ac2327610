import type { Formats } from "@/lib/format";

import type { Range } from "../data/range";

/** How the buckets of a range are called: hours by the clock here, days as UTC has them. */
export function bucketLabel(formats: Formats, by: Range["by"]): (start: string) => string {
  return by === "hour"
    ? (start) => formats.date(start, { hour: "numeric", minute: "2-digit" })
    : (start) => formats.date(start, { day: "numeric", month: "short", timeZone: "UTC" });
}

/** A share that may be of nothing. */
export function rate(formats: Formats, value: number | null, digits = 0): string {
  return value === null ? "–" : formats.percent(value, digits);
}
