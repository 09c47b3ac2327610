import { describe, expect, it } from "vitest";

import type { Me } from "@/lib/session";

import { isNew, isSetUp, mayBeNew, rememberSetUp } from "./state";

const OWNER: Me = {
  tenant_id: "t1",
  tenant_name: "ACME",
  user_id: "u1",
  email: "a@example.com",
  display_name: null,
  role: "owner",
  permissions: [],
  api_key_id: null,
  sign_in_id: null,
  chatbot_id: null,
};

describe("the first start", () => {
  it("is an owner's, until it was shown in this browser for this tenant", () => {
    expect(mayBeNew(OWNER)).toBe(true);
    rememberSetUp("t1");
    rememberSetUp("t2");
    expect(mayBeNew(OWNER)).toBe(false);
    expect(isSetUp("t2")).toBe(true);
    expect(mayBeNew({ ...OWNER, tenant_id: "t3" })).toBe(true);
  });

  it("is nobody else's", () => {
    expect(mayBeNew({ ...OWNER, role: "admin" })).toBe(false);
    expect(mayBeNew({ ...OWNER, user_id: null })).toBe(false);
  });

  it("is over where others are, or further chatbots", () => {
    expect(isNew({ chatbots: 1, users: 1 })).toBe(true);
    expect(isNew({ chatbots: 2, users: 1 })).toBe(false);
    expect(isNew({ chatbots: 1, users: 2 })).toBe(false);
  });
});
