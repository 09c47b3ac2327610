import { expect, it } from "vitest";

import { doAll } from "./bulk";

it("does no more than so many at a time, and all of them", async () => {
  let running = 0;
  let most = 0;
  const ended: number[] = [];
  const result = await doAll(
    Array.from({ length: 10 }, (_, at) => at),
    async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
    },
    (count) => ended.push(count),
    3,
  );
  expect(most).toBe(3);
  expect(result).toEqual({ done: 10, failed: [] });
  expect(ended.at(-1)).toBe(10);
});

it("names what failed in the order of the list, and goes on", async () => {
  const result = await doAll(["a", "b", "c", "d"], (name) =>
    name === "b" || name === "d" ? Promise.reject(new Error(`no ${name}`)) : Promise.resolve(),
  );
  expect(result.done).toBe(2);
  expect(result.failed.map(({ item }) => item)).toEqual(["b", "d"]);
  expect(result.failed[0]?.error).toEqual(new Error("no b"));
});
