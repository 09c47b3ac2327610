/** Conversations by how long ago they were gone on with. */

export type Group = "today" | "yesterday" | "week" | "month" | "older";

const ORDER: readonly Group[] = ["today", "yesterday", "week", "month", "older"];
const WEEK = 7;
const MONTH = 30;

/** Days between two moments by the calendar of where the reader is; daylight saving time makes some of 23 or 25 hours. */
function daysBetween(earlier: Date, later: Date): number {
  const day = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((day(later) - day(earlier)) / 86_400_000);
}

export function groupOf(at: string, now: Date): Group {
  const days = daysBetween(new Date(at), now);
  if (days <= 0) {
    return "today";
  }
  return days === 1 ? "yesterday" : days < WEEK ? "week" : days < MONTH ? "month" : "older";
}

/** The groups that have any, the latest first; the order within them is kept. */
export function byDay<T extends { updated_at: string }>(
  items: readonly T[],
  now: Date = new Date(),
): { group: Group; items: T[] }[] {
  const groups = new Map<Group, T[]>();
  for (const item of items) {
    const group = groupOf(item.updated_at, now);
    groups.set(group, [...(groups.get(group) ?? []), item]);
  }
  return ORDER.flatMap((group) => {
    const found = groups.get(group);
    return found === undefined ? [] : [{ group, items: found }];
  });
}
