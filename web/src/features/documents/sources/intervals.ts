import type { TFunction } from "i18next";

/** Seconds between two syncs that are offered; null: by hand only. */
export const INTERVALS = [900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600, null] as const;

const UNITS = [
  ["days", 86_400],
  ["hours", 3_600],
  ["minutes", 60],
] as const;

/** "Every 6 hours" in the largest unit that divides it. */
export function intervalName(t: TFunction<"documents">, seconds: number | null): string {
  if (seconds === null) {
    return t("sources.byHand");
  }
  const [unit, length] = UNITS.find(([, each]) => seconds % each === 0) ?? ["minutes", 60];
  return t(`sources.every.${unit}`, { count: Math.round(seconds / length) });
}
