/** Answers that were asked for before the application ran: its first request for the same address takes them. */

const asked = new Map<string, Promise<Response>>();
const wanted = new Set<string>();

const ME = "/api/auth/me/";
const CHATBOTS = "/api/chatbots/?limit=200";

/** Ask who is signed in, and for the chatbots of somebody who may list them. */
export async function startSession(): Promise<void> {
  const answer = await ask(ME);
  if (answer.ok) {
    const me = (await answer.clone().json()) as { permissions: readonly string[] };
    if (me.permissions.includes("chatbots:read")) {
      await ask(CHATBOTS);
    }
  }
}

function ask(path: string): Promise<Response> {
  const answer = fetch(path);
  // Who has asked meanwhile has an answer: the next request for it wants a newer one.
  if (!wanted.has(path)) {
    asked.set(path, answer);
  }
  return answer;
}

/** The answer to this address that is there or on its way, once; undefined where none was asked for. */
export function takeEarly(address: string): Promise<Response> | undefined {
  const { pathname, search } = new URL(address, window.location.origin);
  const answer = asked.get(pathname + search);
  asked.delete(pathname + search);
  wanted.add(pathname + search);
  return answer;
}
