/** Sends a form with its progress, which `fetch` does not tell. Throws what `request` of the typed client throws. */

import { ApiError, OfflineError, request } from "@/lib/api";
import { errorOf } from "@/lib/api/errors";

/** Asked for where the sign-in may have expired: the typed client renews it on the way. */
const RENEWING = "/api/chatbots/?limit=1";

interface Sending {
  method?: "POST" | "PUT";
  form: FormData;
  /** 0 to 1. */
  onProgress: (share: number) => void;
  signal: AbortSignal;
}

export async function sendForm<T>(url: string, sending: Sending): Promise<T> {
  let response = await once(url, sending);
  if (response.status === 401) {
    await request(RENEWING);
    response = await once(url, sending);
  }
  if (!response.ok) {
    throw await errorOf(response);
  }
  return (await response.json()) as T;
}

function once(url: string, { method = "POST", form, onProgress, signal }: Sending): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    const stop = () => sender.abort();
    signal.addEventListener("abort", stop);
    sender.open(method, url);
    sender.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    sender.onerror = () => reject(new OfflineError("XMLHttpRequest"));
    sender.onabort = () => reject(new DOMException("Stopped.", "AbortError"));
    sender.onload = () => {
      onProgress(1);
      const retryAfter = sender.getResponseHeader("Retry-After");
      resolve(
        new Response(sender.status === 204 ? null : sender.responseText, {
          status: sender.status,
          statusText: sender.statusText,
          headers: retryAfter === null ? {} : { "Retry-After": retryAfter },
        }),
      );
    };
    sender.onloadend = () => signal.removeEventListener("abort", stop);
    if (signal.aborted) {
      reject(new DOMException("Stopped.", "AbortError"));
      return;
    }
    sender.send(form);
  });
}

export const wasStopped = (error: unknown) => error instanceof DOMException && error.name === "AbortError";

/** Until when a refusal for too many requests holds; null for other errors. */
export function refusedUntil(error: unknown, now: number = Date.now()): number | null {
  return error instanceof ApiError && error.status === 429 && error.retryAfterS !== null
    ? now + error.retryAfterS * 1000
    : null;
}
