import { describe, expect, it } from "vitest";

import { BACKGROUNDS, contrast, paletteOf, READABLE, USUAL_ACCENT } from "./colours";

const GREYS_AND_EDGES = [
  "#000000",
  "#ffffff",
  "#777777",
  "#767676",
  "#808080",
  "#ffd400",
  "#00ff00",
  "#0000ff",
  "#ff0000",
  "#ff00ff",
  "#00ffff",
];
const SPREAD = Array.from(
  { length: 400 },
  (_, number) => `#${((number * 41_959 + 77) % 0x1000000).toString(16).padStart(6, "0")}`,
);

describe("the palette of an accent", () => {
  it.each(["light", "dark"] as const)("can be read in the %s theme, whatever the accent", (theme) => {
    for (const accent of [...GREYS_AND_EDGES, ...SPREAD]) {
      const { fill, onFill, ink } = paletteOf(accent, theme);
      expect(fill).toBe(accent);
      expect(contrast(onFill, fill), accent).toBeGreaterThanOrEqual(READABLE);
      expect(contrast(ink, BACKGROUNDS[theme]), accent).toBeGreaterThanOrEqual(READABLE);
    }
  });

  it("writes black on yellow and white on blue", () => {
    expect(paletteOf("#FFD400", "light").onFill).toBe("#000000");
    expect(paletteOf("#1f5fbf", "light").onFill).toBe("#ffffff");
  });

  it("keeps an accent as text where it can be read, darkens it on white, lightens it on black", () => {
    expect(paletteOf("#1f5fbf", "light").ink).toBe("#1f5fbf");
    expect(contrast(paletteOf("#ffd400", "light").ink, "#000000")).toBeLessThan(
      contrast("#ffd400", "#000000"),
    );
    expect(contrast(paletteOf("#1f5fbf", "dark").ink, "#ffffff")).toBeLessThan(
      contrast("#1f5fbf", "#ffffff"),
    );
  });

  it.each(["", "red", "#fff", "#12345g", "#123456;}", "url(x)"])(
    "takes the usual one in place of %j",
    (accent) => {
      expect(paletteOf(accent, "light").fill).toBe(USUAL_ACCENT);
    },
  );
});

it("measures contrast as WCAG does", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
  expect(contrast("#767676", "#ffffff")).toBeCloseTo(4.54, 2);
});
