/** The typed client of Dragoman's own API. Sign-in stands in cookies that no script can read. */

import createClient from "openapi-fetch";

import { takeEarly } from "./early";
import { errorOf, OfflineError } from "./errors";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const REFRESH = "/api/auth/refresh/";

/** Called when the sign-in has ended and cannot be renewed. */
let onSignedOut: () => void = () => undefined;

export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell;
}

let refreshing: Promise<boolean> | null = null;

/** Renew the sign-in; several requests that find it expired at once share one renewal. */
function refresh(): Promise<boolean> {
  refreshing ??= fetch(REFRESH, { method: "POST" })
    .then((answer) => answer.ok)
    .catch(() => false)
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

/** `fetch` that renews an expired sign-in once and throws `ApiError` or `OfflineError`. */
export async function request(input: string | Request, init?: RequestInit): Promise<Response> {
  const first = input instanceof Request ? input.clone() : input;
  let response = await reach(first, init);
  if (response.status === 401 && !urlOf(input).includes("/api/auth/")) {
    if (await refresh()) {
      response = await reach(input, init);
    }
    if (response.status === 401) {
      onSignedOut();
    }
  }
  if (!response.ok) {
    throw await errorOf(response);
  }
  return response;
}

async function reach(input: string | Request, init?: RequestInit): Promise<Response> {
  try {
    return await (earlyOf(input) ?? fetch(input, init));
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw new OfflineError(error);
  }
}

/** What `start.ts` has asked for already, in the same words. */
function earlyOf(input: string | Request): Promise<Response> | undefined {
  return input instanceof Request && input.method === "GET" ? takeEarly(input.url) : undefined;
}

function urlOf(input: string | Request): string {
  return input instanceof Request ? input.url : input;
}

export const api = createClient<paths>({
  baseUrl: typeof window === "undefined" ? "" : window.location.origin,
  fetch: (input) => request(input),
  // Lists are repeated: `?tags=a&tags=b`.
  querySerializer: { array: { style: "form", explode: true } },
});

/** The data of an answer. Errors were thrown before. */
export async function data<T>(answer: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data: body } = await answer;
  return body as T;
}
