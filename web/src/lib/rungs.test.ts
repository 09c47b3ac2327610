import { expect, it } from "vitest";

import { KNOWN, rungsOf } from "./rungs";

it("tells each rung once, and models by their names", () => {
  const rungs = rungsOf([
    "openai_compatible_failed:inference.unavailable",
    "extractive",
    "extractive",
    "sentences_removed:3",
    "output_images_removed",
    "output_links_removed",
    "interrupted",
    "small-model",
  ]);
  expect(rungs.map(({ key, what, count }) => [key, what, count])).toEqual([
    ["model_failed", "openai_compatible", 1],
    ["extractive", "", 1],
    ["sentences_removed", "3", 3],
    ["output_removed", "", 1],
    ["interrupted", "", 1],
    ["other", "small-model", 1],
  ]);
});

const TEXTS = import.meta.glob<{ degraded: Record<string, string> }>("../locales/*.json", { eager: true });

it.each(Object.keys(TEXTS))("has words for each rung in %s", (file) => {
  const words = Object.keys(TEXTS[file]?.degraded ?? {}).map((key) =>
    key.replace(/_(zero|one|two|few|many|other)$/, ""),
  );
  const keys = [...KNOWN, "output_removed", "model_failed", "model_interrupted"];
  expect(keys.filter((key) => !words.includes(key))).toEqual([]);
});
