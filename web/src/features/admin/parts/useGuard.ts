import { createContext, useContext, useEffect, useId } from "react";

/** By what keeps it: the address that it lives at, and below. */
export type Kept = ReadonlyMap<string, string>;

interface Guard {
  keep: (id: string, home: string | null) => void;
  askAt: (home: string, go: () => void) => void;
}

export const GuardContext = createContext<Guard>({ keep: () => undefined, askAt: (_home, go) => go() });

/** For `navigate` where what is not saved is gone with what it belonged to. */
export const UNGUARDED = { state: { unguarded: true } } as const;

/**
 * Guards what is not saved and lives as long as the address is `home` or below it: `GuardProvider` asks before another
 * page of the application, the browser before the page is closed or loaded anew. Returns how to ask before a deed of
 * the page itself that would lose it.
 */
export function useGuard(isDirty: boolean, home: string): (go: () => void) => void {
  const { keep, askAt } = useContext(GuardContext);
  const id = useId();
  useEffect(() => {
    if (!isDirty) {
      return;
    }
    const onUnload = (event: BeforeUnloadEvent) => event.preventDefault();
    keep(id, home);
    window.addEventListener("beforeunload", onUnload);
    return () => {
      keep(id, null);
      window.removeEventListener("beforeunload", onUnload);
    };
  }, [isDirty, home, id, keep]);
  return (go) => askAt(home, go);
}

export function isLeft(home: string, pathname: string): boolean {
  return pathname !== home && !pathname.startsWith(`${home}/`);
}
