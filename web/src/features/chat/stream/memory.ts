/** Which answer this window is following in a conversation, so that a reload can go on with it. */

export interface Asked {
  sessionId: string;
  question: string;
  /** The earlier question that this one stands in place of. */
  replaces: string | null;
  /** The answer that is written again. */
  again: string | null;
  language: string | null;
}

export interface Remembered extends Asked {
  messageId: string;
}

const keyOf = (sessionId: string) => `dragoman.answering.${sessionId}`;

export function remember(answer: Remembered): void {
  sessionStorage.setItem(keyOf(answer.sessionId), JSON.stringify(answer));
}

export function forget(sessionId: string): void {
  sessionStorage.removeItem(keyOf(sessionId));
}

export function recall(sessionId: string): Remembered | null {
  const stored = sessionStorage.getItem(keyOf(sessionId));
  if (stored === null) {
    return null;
  }
  try {
    return JSON.parse(stored) as Remembered; // written by `remember` only
  } catch {
    forget(sessionId);
    return null;
  }
}
