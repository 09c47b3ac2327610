import { describe, expect, it } from "vitest";

import { BATCH_FROM, batchesOf, groupsOf, sharesOf } from "./batches";

const file = (key: string, size: number) => ({ key, size });
const keys = (batches: { key: string }[][]) => batches.map((batch) => batch.map(({ key }) => key).join(""));

describe("batches", () => {
  it("are none of no files", () => {
    expect(batchesOf([])).toEqual([]);
  });

  it("hold so many files, in their order", () => {
    const files = ["a", "b", "c", "d", "e"].map((key) => file(key, 1));
    expect(keys(batchesOf(files, { maxFiles: 2, maxBytes: 100 }))).toEqual(["ab", "cd", "e"]);
  });

  it("hold so many bytes, and a large file travels alone", () => {
    const files = [file("a", 4), file("b", 5), file("c", 50), file("d", 1), file("e", 9), file("f", 1)];
    expect(keys(batchesOf(files, { maxFiles: 9, maxBytes: 10 }))).toEqual(["ab", "c", "de", "f"]);
  });

  it("lose no file", () => {
    const files = Array.from({ length: 997 }, (_, at) => file(String(at), (at * 7919) % 900_000));
    expect(batchesOf(files).flat()).toEqual(files);
  });

  it("begin with many files only", () => {
    const few = Array.from({ length: BATCH_FROM - 1 }, (_, at) => file(String(at), 1));
    expect(groupsOf(few).every((group) => group.length === 1)).toBe(true);
    expect(groupsOf([...few, file("x", 1)])).toHaveLength(1);
  });
});

describe("shares of a request", () => {
  const files = [file("a", 10), file("b", 0), file("c", 30)];

  it("fill up one file after the other", () => {
    expect([...sharesOf(files, 0.5).values()]).toEqual([1, 1, 1 / 3]);
    expect([...sharesOf(files, 0.125).values()]).toEqual([0.5, 0, 0]);
  });

  it("are whole at the end", () => {
    expect([...sharesOf(files, 1).values()]).toEqual([1, 1, 1]);
    expect([...sharesOf([file("b", 0)], 1).values()]).toEqual([1]);
  });
});
