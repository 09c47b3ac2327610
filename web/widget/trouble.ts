/** What went wrong, by what a visitor can do about it. */

export type TroubleKind = "offline" | "too_often" | "unavailable" | "gone" | "failed";

export class Trouble extends Error {
  constructor(
    readonly kind: TroubleKind,
    /** For the site's owner: the server's own words. */
    readonly detail: string,
    readonly code = "",
    readonly retryAfterS = 0,
  ) {
    super(detail);
  }
}

const OF_THE_SITE = new Set(["tenancy.origin_not_allowed", "tenancy.unknown_widget_key"]);

export async function troubleOf(response: Response): Promise<Trouble> {
  const { code, detail } = await problemIn(response);
  const retryAfterS = Number(response.headers.get("Retry-After") ?? "0") || 0;
  if (OF_THE_SITE.has(code)) return new Trouble("unavailable", detail, code);
  if (response.status === 429) return new Trouble("too_often", detail, code, Math.max(retryAfterS, 1));
  if (response.status === 404 || code === "chat.session_closed") return new Trouble("gone", detail, code);
  return new Trouble("failed", detail, code, retryAfterS);
}

async function problemIn(response: Response): Promise<{ code: string; detail: string }> {
  const problem: unknown = await response.json().catch(() => null);
  const { code, detail } = (typeof problem === "object" && problem !== null ? problem : {}) as Record<
    string,
    unknown
  >;
  return {
    code: typeof code === "string" ? code : "",
    detail: typeof detail === "string" ? detail : `HTTP ${response.status}`,
  };
}

/** Anything that was thrown. What `fetch` throws itself means that no answer came. */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  return new Trouble(error instanceof TypeError ? "offline" : "failed", String(error));
}
