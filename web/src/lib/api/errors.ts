/** What the API says when something is wrong (RFC 9457 problem documents), as errors that pages can show. */

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id?: string;
  errors?: unknown;
}

export class ApiError extends Error {
  readonly problem: Problem;
  /** Seconds after which the same request may be let through. */
  readonly retryAfterS: number | null;

  constructor(problem: Problem, retryAfterS: number | null = null) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** The server could not be reached at all. */
export class OfflineError extends Error {
  constructor(cause: unknown) {
    super("The server cannot be reached.", { cause });
    this.name = "OfflineError";
  }
}

export async function errorOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError(
    await problemOf(response),
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const parsed: unknown = JSON.parse(text);
    if (isProblem(parsed)) {
      return parsed;
    }
  } catch {
    // Not JSON: a proxy in between has answered. Its status says more than its page.
  }
  return {
    title: response.statusText || `HTTP ${response.status}`,
    status: response.status,
    detail: `HTTP ${response.status} ${response.statusText}`.trim(),
    code: "http",
  };
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" && value !== null && "detail" in value && "code" in value && "status" in value
  );
}
