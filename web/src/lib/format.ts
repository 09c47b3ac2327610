/** Numbers, money, durations, sizes and times as the language of the interface writes them. */

import { useMemo } from "react";
import { useTranslation } from "react-i18next";

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

export function formatsOf(language: string) {
  const number = (value: number, options?: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(language, options).format(value);
  return {
    number,
    compact: (value: number) => number(value, { notation: "compact", maximumFractionDigits: 1 }),
    /** `share`: 0 to 1. */
    percent: (share: number, digits = 0) =>
      number(share, { style: "percent", maximumFractionDigits: digits }),
    /** US dollars; small sums keep two digits that say something. */
    money: (usd: number) =>
      number(usd, {
        style: "currency",
        currency: "USD",
        ...(usd !== 0 && Math.abs(usd) < 0.01
          ? { maximumSignificantDigits: 2, minimumSignificantDigits: 1 }
          : { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
      }),
    milliseconds: (ms: number) =>
      ms < 1000
        ? number(ms, { style: "unit", unit: "millisecond", maximumFractionDigits: ms < 10 ? 1 : 0 })
        : number(ms / 1000, { style: "unit", unit: "second", maximumFractionDigits: 1 }),
    bytes: (bytes: number) => {
      const power = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
      return number(bytes / 1024 ** power, {
        style: "unit",
        unit: SIZES[power] ?? "byte",
        unitDisplay: "short",
        maximumFractionDigits: power === 0 ? 0 : 1,
      });
    },
    date: (at: string | number | Date, options: Intl.DateTimeFormatOptions = { dateStyle: "medium" }) =>
      new Intl.DateTimeFormat(language, options).format(new Date(at)),
    dateTime: (at: string | number | Date) =>
      new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at)),
    /** "3 minutes ago", "in 2 days". */
    relative: (at: string | number | Date, now: number = Date.now()) => {
      const seconds = (new Date(at).getTime() - now) / 1000;
      const [unit, length] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? ["second", 1];
      return new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(
        Math.round(seconds / length),
        unit,
      );
    },
    list: (values: readonly string[]) =>
      new Intl.ListFormat(language, { type: "conjunction" }).format(values),
    /** The name of a language by its ISO 639-1 code, such as `de`. */
    languageName: (code: string) => {
      try {
        return new Intl.DisplayNames([language], { type: "language" }).of(code) ?? code;
      } catch {
        return code; // `und`, `zxx` and whatever a detector may call it
      }
    },
  };
}

export type Formats = ReturnType<typeof formatsOf>;

export function useFormats(): Formats {
  const { i18n } = useTranslation();
  return useMemo(() => formatsOf(i18n.language), [i18n.language]);
}
