/** What the widget remembers of a visitor on this site, under a name with its key. Nothing of it leaves the browser but the token. */

export interface Memory {
  /** Proves who the visitor is, so that the conversation is still theirs. */
  token: string | null;
  expiresAt: number;
  session: string | null;
  /** A question whose answer was not whole when it was stored last; `answer` is known from its first event on. */
  pending: { question: string; answer: string | null } | null;
  /** Answers that said "I don't know". */
  unanswered: string[];
}

const EMPTY: Memory = { token: null, expiresAt: 0, session: null, pending: null, unanswered: [] };
const MOST_UNANSWERED = 50;

export class Store {
  private readonly name: string;
  private memory: Memory;

  /** `key` empty: nothing is remembered beyond this page. */
  constructor(private readonly key: string) {
    this.name = `dragoman:${key}`;
    this.memory = { ...EMPTY, ...this.read() };
  }

  get<K extends keyof Memory>(field: K): Memory[K] {
    return this.memory[field];
  }

  set(changed: Partial<Memory>): void {
    this.memory = { ...this.memory, ...changed };
    if (!this.key) return;
    try {
      localStorage.setItem(this.name, JSON.stringify(this.memory));
    } catch {
      // Storage is switched off or full: the conversation lasts as long as the page.
    }
  }

  addUnanswered(id: string): void {
    this.set({ unanswered: [...this.memory.unanswered, id].slice(-MOST_UNANSWERED) });
  }

  /** Whether the visitor left the panel open on the page before, in this tab; null: has neither opened nor closed it. */
  get wasOpen(): boolean | null {
    if (!this.key) return null;
    try {
      const left = sessionStorage.getItem(this.name);
      return left === null ? null : left === "open";
    } catch {
      return null;
    }
  }

  leave(open: boolean): void {
    if (!this.key) return;
    try {
      sessionStorage.setItem(this.name, open ? "open" : "closed");
    } catch {
      // As above.
    }
  }

  private read(): Partial<Memory> {
    if (!this.key) return {};
    try {
      const stored: unknown = JSON.parse(localStorage.getItem(this.name) ?? "null");
      return isMemory(stored) ? stored : {};
    } catch {
      return {};
    }
  }
}

/** Other scripts of the site can write here too: what is not ours is as good as nothing. */
function isMemory(value: unknown): value is Memory {
  if (typeof value !== "object" || value === null) return false;
  const { token, expiresAt, session, pending, unanswered } = value as Record<string, unknown>;
  return (
    isTextOrNull(token) &&
    typeof expiresAt === "number" &&
    isTextOrNull(session) &&
    (pending === null || isPending(pending)) &&
    Array.isArray(unanswered)
  );
}

function isPending(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { question, answer } = value as Record<string, unknown>;
  return typeof question === "string" && isTextOrNull(answer);
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
