import { expect, test } from "vitest";

import { isLeft } from "./useGuard";

test("a draft lives at its address and below it", () => {
  expect(isLeft("/admin/chatbots/1", "/admin/chatbots/1")).toBe(false);
  expect(isLeft("/admin/chatbots/1", "/admin/chatbots/1/widget")).toBe(false);
  expect(isLeft("/admin/chatbots/1", "/admin/chatbots/12")).toBe(true);
  expect(isLeft("/admin/chatbots/1", "/admin/chatbots")).toBe(true);
});
