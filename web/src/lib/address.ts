import { useCallback } from "react";
import { useSearchParams as useDrawnParams, type NavigateOptions } from "react-router";

type Change = (now: URLSearchParams) => URLSearchParams;

/**
 * What stands behind the `?` of the address. A change starts from the address as it is, not as the page was last drawn:
 * of two changes made before it is drawn again, the second would undo the first.
 */
export function useSearchParams() {
  const [params, set] = useDrawnParams();
  const change = useCallback(
    (to: Change | URLSearchParams | Record<string, string>, options?: NavigateOptions) =>
      set(typeof to === "function" ? to(new URLSearchParams(window.location.search)) : to, options),
    [set],
  );
  return [params, change] as const;
}
