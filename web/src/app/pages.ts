/** What the page at an address consists of. Imports nothing by itself: `start.ts` asks it before the application runs. */

import { SECTION_PAGES } from "@/features/admin/loads";
import { CONVERSATION } from "@/features/chat/loads";
import { partOf, type Part } from "@/lib/part";

/** The pages by the first word of their address. */
export const PAGES = {
  "sign-in": partOf(async () => (await import("@/features/sign-in/SignInPage")).default),
  "set-password": partOf(async () => (await import("@/features/sign-in/SetPasswordPage")).default),
  chat: partOf(async () => (await import("@/features/chat")).default),
  documents: partOf(async () => (await import("@/features/documents")).default),
  search: partOf(async () => (await import("@/features/search-lab")).default),
  insights: partOf(async () => (await import("@/features/insights")).default),
  admin: partOf(async () => (await import("@/features/admin")).default),
  account: partOf(async () => (await import("@/features/account")).default),
};
export const FIRST_START = partOf(
  async () => (await import("@/features/account/first-start/FirstStartGate")).default,
);

// Where its name differs from the first word of the address.
const NAMESPACES: Record<string, string | undefined> = { "set-password": "sign-in", search: "search-lab" };

/** Whose texts the page shows. */
export function namespaceOf(pathname: string): string {
  const { first } = wordsOf(pathname);
  return NAMESPACES[first] ?? first;
}

/** Load the scripts of a page, those below it too. */
export async function loadPage(pathname: string): Promise<void> {
  const { first, second } = wordsOf(pathname);
  const parts: Part<unknown>[] = [PAGES[first]];
  if (pathname === "/") {
    parts.push(FIRST_START);
  }
  if (first === "admin") {
    // Most who come here are led to the chatbots.
    parts.push(SECTION_PAGES[isOf(SECTION_PAGES, second) ? second : "chatbots"]);
  }
  if (first === "chat" && second !== "") {
    parts.push(CONVERSATION);
  }
  await Promise.all(parts.map((part) => part.load()));
}

/** The first words of an address. The start leads to the chat, so it counts as one; no other address is asked for. */
function wordsOf(pathname: string): { first: keyof typeof PAGES; second: string } {
  const [first = "", second = ""] = pathname.split("/").slice(1);
  return { first: isOf(PAGES, first) ? first : "chat", second };
}

function isOf<T extends object>(all: T, name: string): name is Extract<keyof T, string> {
  return Object.hasOwn(all, name);
}
