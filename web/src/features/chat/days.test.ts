import { expect, it } from "vitest";

import { byDay, groupOf } from "./days";

const NOW = new Date(2026, 10, 22, 0, 30);
const at = (...parts: [number, number, number, number, number]) => new Date(...parts).toISOString();

it("goes by the calendar, not by hours", () => {
  expect(groupOf(at(2026, 10, 22, 0, 1), NOW)).toBe("today");
  expect(groupOf(at(2026, 10, 21, 23, 59), NOW)).toBe("yesterday");
  expect(groupOf(at(2026, 10, 16, 12, 0), NOW)).toBe("week");
  expect(groupOf(at(2026, 10, 15, 12, 0), NOW)).toBe("month");
  expect(groupOf(at(2026, 9, 23, 12, 0), NOW)).toBe("older");
});

it("calls what a clock ahead of ours says today", () => {
  expect(groupOf(at(2026, 10, 23, 9, 0), NOW)).toBe("today");
});

it("leaves empty groups out and keeps the order", () => {
  const items = [
    { id: 1, updated_at: at(2026, 10, 22, 0, 20) },
    { id: 2, updated_at: at(2026, 10, 22, 0, 10) },
    { id: 3, updated_at: at(2025, 0, 1, 0, 0) },
  ];
  expect(byDay(items, NOW).map(({ group, items: found }) => [group, found.map(({ id }) => id)])).toEqual([
    ["today", [1, 2]],
    ["older", [3]],
  ]);
});
