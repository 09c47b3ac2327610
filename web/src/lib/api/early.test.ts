import { beforeEach, expect, it, vi } from "vitest";

const answers: Record<string, () => Response> = {};

beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal(
    "fetch",
    vi.fn((path: string) => Promise.resolve(answers[path]?.() ?? new Response(null, { status: 401 }))),
  );
  delete answers["/api/auth/me/"];
  answers["/api/chatbots/?limit=200"] = () => Response.json({ chatbots: ["listed"] });
});

const early = () => import("./early");

it("gives each answer to the first who asks for it", async () => {
  answers["/api/auth/me/"] = () => Response.json({ permissions: ["chatbots:read"] });
  const { startSession, takeEarly } = await early();
  await startSession();
  const me = await takeEarly(`${window.location.origin}/api/auth/me/`);
  expect(await me?.json()).toEqual({ permissions: ["chatbots:read"] });
  expect(takeEarly("/api/auth/me/")).toBeUndefined();
  expect(takeEarly("/api/chatbots/?limit=50")).toBeUndefined();
  expect(await (await takeEarly("/api/chatbots/?limit=200"))?.json()).toEqual({ chatbots: ["listed"] });
});

it.each([
  ["nobody who is signed in", undefined],
  ["somebody who may not list them", { permissions: ["ask"] }],
])("asks for no chatbots of %s", async (_who, me) => {
  if (me) {
    answers["/api/auth/me/"] = () => Response.json(me);
  }
  const { startSession, takeEarly } = await early();
  await startSession();
  expect(fetch).toHaveBeenCalledTimes(1);
  expect(takeEarly("/api/chatbots/?limit=200")).toBeUndefined();
});

it("keeps nothing for later that the application has asked for meanwhile", async () => {
  answers["/api/auth/me/"] = () => Response.json({ permissions: ["chatbots:read"] });
  const { startSession, takeEarly } = await early();
  expect(takeEarly("/api/chatbots/?limit=200")).toBeUndefined();
  await startSession();
  expect(takeEarly("/api/chatbots/?limit=200")).toBeUndefined();
});
