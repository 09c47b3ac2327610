import { partOf } from "@/lib/part";

/** Markdown and code in colours are a good part of what the chat weighs: a first question can be typed without them. */
export const CONVERSATION = partOf(async () => (await import("./Conversation")).default);
