import { expect, it } from "vitest";

import { after } from "./next";

const items = [{ id: "a" }, { id: "b" }, { id: "c" }];

it("goes on below, and above from the last one", () => {
  expect(after(items, "a")?.id).toBe("b");
  expect(after(items, "c")?.id).toBe("b");
  expect(after([{ id: "a" }], "a")).toBeUndefined();
  expect(after(items, "gone")?.id).toBe("a");
});
