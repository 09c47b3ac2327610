import { describe, expect, it } from "vitest";

import { cellText, toCsv } from "./csv";
import { bucketsOf, readRange } from "./range";
import { deltaOf, filled, readable, totalOf, type Bar } from "./totals";

const NOW = Date.parse("2026-03-31T10:20:00Z");
const range = (text: string) => readRange(new URLSearchParams(text), NOW);

function bar(starts_at: string, more: Partial<Bar> = {}): Bar {
  const [empty] = filled(
    [],
    { span: "own", from: starts_at.slice(0, 10), to: starts_at.slice(0, 10), by: "day" },
    NOW,
  );
  return { ...(empty as Bar), starts_at, ...more };
}

describe("CSV", () => {
  it("quotes commas, quotes and line ends", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ['say "hi"', "x,y"],
          ["two\nlines", null],
        ],
      ),
    ).toBe('a,b\r\n"say ""hi""","x,y"\r\n"two\nlines",\r\n');
  });

  it.each(["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@import", "\t=1"])("defuses the formula %j", (text) => {
    expect(cellText(text)).toMatch(/^"?'/);
  });

  it.each(["-12.5", "+3", "-1e5"])("leaves the number %s", (text) => {
    expect(cellText(text)).toBe(text);
  });

  it("leaves numbers numbers", () => {
    expect([cellText(-3), cellText(0.5), cellText(true)]).toEqual(["-3", "0.5", "true"]);
  });
});

describe("a range", () => {
  it("is 30 days with today, where the address says nothing that can be read", () => {
    expect(range("range=soon")).toEqual({ span: "30d", from: "2026-03-02", to: "2026-03-31", by: "day" });
  });

  it("of own days is kept within what can be asked", () => {
    expect(range("range=own&from=2026-03-30&to=2027-01-01")).toMatchObject({
      from: "2026-03-30",
      to: "2026-03-31",
      by: "hour",
    });
    expect(range("range=own&from=2020-01-01&to=2026-03-01")).toMatchObject({
      from: "2025-01-26",
      to: "2026-03-01",
    });
    expect(range("range=own&from=nonsense&to=2026-02-30x")).toMatchObject({
      from: "2026-03-31",
      to: "2026-03-31",
    });
  });

  it("of 24 hours has the last 24 hours as buckets, this one included", () => {
    const buckets = bucketsOf(range("range=24h"), NOW).map((at) => new Date(at).toISOString());
    expect(buckets).toHaveLength(24);
    expect([buckets[0], buckets.at(-1)]).toEqual(["2026-03-30T11:00:00.000Z", "2026-03-31T10:00:00.000Z"]);
  });

  it.each([
    ["7d", 7],
    ["30d", 30],
    ["90d", 90],
    ["1y", 365],
  ])("of %s has a bucket for each of %d days", (span, days) => {
    expect(bucketsOf(range(`range=${span}`), NOW)).toHaveLength(days);
  });
});

describe("buckets", () => {
  it("are there where nothing happened too, with counts of zero and rates of nothing", () => {
    const bars = filled([bar("2026-03-30T00:00:00Z", { questions: 4, answered: 3 })], range("range=7d"), NOW);
    expect(bars.map((each) => each.questions)).toEqual([0, 0, 0, 0, 0, 4, 0]);
    expect(bars[0]?.answer_rate).toBeNull();
  });

  it("are added up with their rates", () => {
    const total = totalOf([
      bar("2026-03-30T00:00:00Z", { questions: 4, answered: 3, ratings_up: 1 }),
      bar("2026-03-31T00:00:00Z", { questions: 4, answered: 1, ratings_down: 3 }),
    ]);
    expect(total).toMatchObject({ questions: 8, answer_rate: 0.5, satisfaction: 0.25, cache_hit_rate: 0 });
  });

  it("of a year become weeks that lose nothing", () => {
    const days = filled([], range("range=1y"), NOW).map((each) => ({ ...each, questions: 1 }));
    const weeks = readable(days);
    expect(weeks).toHaveLength(53);
    expect(totalOf(weeks).questions).toBe(365);
    expect(weeks.at(-1)?.questions).toBe(7);
  });
});

describe("the period before", () => {
  it("compares counts by share and rates by points", () => {
    expect(deltaOf(15, 10, "share")?.change).toBe(0.5);
    expect(deltaOf(0.75, 0.5, "points")?.change).toBe(0.25);
  });

  it("says nothing where there was nothing", () => {
    expect(deltaOf(15, 0, "share")).toBeNull();
    expect(deltaOf(0.5, null, "points")).toBeNull();
  });
});
