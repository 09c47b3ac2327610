/** What is known of an answer while it comes. Events that came before, as after a broken connection, change nothing. */

import {
  BEGINNING,
  positionOf,
  STAGES,
  type AnswerEvent,
  type Ended,
  type Position,
  type Source,
  type Stage,
} from "./events";

export interface Received {
  messageId: string | null;
  stage: Stage;
  text: string;
  sources: readonly Source[];
  facts: Ended | null;
  failed: { code: string; detail: string } | null;
  had: Position;
  /** Sent back as `Last-Event-ID` to get the rest. */
  lastId: string | null;
}

export const NOTHING: Received = {
  messageId: null,
  stage: "understanding",
  text: "",
  sources: [],
  facts: null,
  failed: null,
  had: BEGINNING,
  lastId: null,
};

/** Words are missing between what was had and what came: the answer has to be followed from its beginning. */
export class GapError extends Error {}

const utf8 = new TextEncoder();
const text = new TextDecoder();

export function received(state: Received, id: string | null, event: AnswerEvent): Received {
  const at = positionOf(id);
  const next = applied(state, at, event);
  return next === state ? state : { ...next, had: at ?? next.had, lastId: id ?? next.lastId };
}

function applied(state: Received, at: Position | null, event: AnswerEvent): Received {
  switch (event.type) {
    case "status":
      return {
        ...state,
        messageId: event.message_id,
        stage: STAGES.find((one) => one === event.stage) ?? state.stage,
      };
    case "token": {
      const words = at === null ? event.content : unheard(state.had.text, at.text, event.content);
      return words === "" ? state : { ...state, stage: "writing", text: state.text + words };
    }
    case "source": {
      const { type: _, ...source } = event;
      const known = state.sources.some((one) => one.number === source.number);
      return known ? state : { ...state, sources: [...state.sources, source] };
    }
    case "complete": {
      const { type: _, ...facts } = event;
      return { ...state, messageId: facts.message_id, facts };
    }
    case "error":
      return { ...state, failed: { code: event.code, detail: event.detail } };
  }
}

/** The part of these words that was not had: ids count bytes, so the overlap is cut off in bytes. */
function unheard(had: number, end: number, words: string): string {
  if (end <= had) {
    return "";
  }
  const bytes = utf8.encode(words);
  const begin = end - bytes.length;
  if (begin > had) {
    throw new GapError("Words are missing between two pieces of an answer.");
  }
  return begin === had ? words : text.decode(bytes.subarray(had - begin));
}

/** What is shown of an answer that is followed from its beginning again: its words stay until as many have come anew. */
export function withoutLoss(shown: Received | undefined, now: Received): Received {
  const isBehind =
    shown !== undefined &&
    shown.messageId === now.messageId &&
    shown.text.length > now.text.length &&
    shown.text.startsWith(now.text);
  return isBehind ? { ...now, text: shown.text } : now;
}

export function isOver(state: Received): boolean {
  return state.facts !== null || state.failed !== null;
}
