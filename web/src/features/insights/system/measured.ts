import type { Formats } from "@/lib/format";

/** What a signal of an alert measured, in its unit: the end of its name says which. */
export function measured(formats: Formats, signal: string, value: number): string {
  if (/_(?:share|rise|fall|rate)$/.test(signal)) {
    return formats.percent(value);
  }
  if (signal.endsWith("_ms")) {
    return formats.milliseconds(value);
  }
  if (signal.endsWith("_usd")) {
    return formats.money(value);
  }
  return formats.number(value, { maximumFractionDigits: 2 });
}
