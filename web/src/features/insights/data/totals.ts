/** Sums over buckets, gaps between them, and the difference to the period before. */

import type { Schemas } from "@/lib/api";

import { bucketsOf, type Range } from "./range";

export type Total = Schemas["TotalOut"];
export type Bar = Schemas["BarOut"];

const COUNTS = [
  "questions",
  "answered",
  "refused",
  "interrupted",
  "degraded",
  "cached_exact",
  "cached_similar",
  "ratings_up",
  "ratings_down",
  "input_tokens",
  "output_tokens",
  "answer_cost_usd",
  "saved_usd",
  "cost_usd",
  "model_calls",
  "failed_model_calls",
  "searches",
  "zero_results",
  "low_confidence",
  "searches_cached",
  "searches_degraded",
  "documents_read",
  "documents_failed",
  "jobs",
  "jobs_failed",
] as const satisfies readonly (keyof Bar)[];

type Counts = Record<(typeof COUNTS)[number], number>;

export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function rated(counts: Counts) {
  return {
    ...counts,
    answer_rate: share(counts.answered, counts.questions),
    refusal_rate: share(counts.refused, counts.questions),
    cache_hit_rate: share(counts.cached_exact + counts.cached_similar, counts.questions),
    satisfaction: share(counts.ratings_up, counts.ratings_up + counts.ratings_down),
    model_error_rate: share(counts.failed_model_calls, counts.model_calls),
    job_error_rate: share(counts.jobs_failed, counts.jobs),
  };
}

function counted(bars: readonly Bar[]): Counts {
  return Object.fromEntries(
    COUNTS.map((key) => [key, bars.reduce((sum, bar) => sum + bar[key], 0)]),
  ) as Counts;
}

/** What buckets count together. Latencies cannot be added up from them. */
export function totalOf(bars: readonly Bar[]): Total {
  return { ...rated(counted(bars)), latency_ms: {} };
}

/** A bucket for each hour or day, also where nothing happened. */
export function filled(bars: readonly Bar[], range: Range, now: number = Date.now()): readonly Bar[] {
  const known = new Map(bars.map((bar) => [Date.parse(bar.starts_at), bar]));
  return bucketsOf(range, now).map((start) => known.get(start) ?? barOf([], start));
}

function barOf(bars: readonly Bar[], start: number): Bar {
  return { ...rated(counted(bars)), starts_at: new Date(start).toISOString(), latency_ms: null };
}

/** More bars than this are no longer told apart: counts are shown by weeks then. */
const MOST_BARS = 120;

export function readable(bars: readonly Bar[]): readonly Bar[] {
  if (bars.length <= MOST_BARS) {
    return bars;
  }
  const first = bars.length % 7; // the last week is a whole one
  const weeks = first === 0 ? [] : [bars.slice(0, first)];
  for (let at = first; at < bars.length; at += 7) {
    weeks.push(bars.slice(at, at + 7));
  }
  return weeks.map((week) => barOf(week, Date.parse(week[0]?.starts_at ?? "")));
}

export interface Delta {
  /** Of counts by share (0.5: half as much again), of rates in points (0.1: ten points). */
  change: number;
  unit: "share" | "points";
}

/** Null where there is nothing to compare with. */
export function deltaOf(now: number | null, before: number | null, unit: Delta["unit"]): Delta | null {
  if (now === null || before === null || (unit === "share" && before === 0)) {
    return null;
  }
  return { change: unit === "share" ? (now - before) / before : now - before, unit };
}
