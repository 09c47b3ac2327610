import { expect, test } from "vitest";

import { formatsOf } from "@/lib/format";

import { measured } from "./measured";

test("what a signal measured is told in its unit", () => {
  const english = formatsOf("en");
  expect(measured(english, "budget_share", 0.95)).toBe("95%");
  expect(measured(english, "search_p95_ms", 1200)).toBe("1.2 sec");
  expect(measured(english, "spent_usd", 100)).toBe("$100.00");
  expect(measured(english, "oldest_job_s", 1800)).toBe("1,800");
});
