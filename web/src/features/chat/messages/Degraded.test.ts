import { expect, it } from "vitest";

import { rungsOf } from "./Degraded";

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
    ["other", "small-model", 1],
  ]);
});
