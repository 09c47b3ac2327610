import { useCallback, useMemo, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useBlocker } from "react-router";

import { Confirm } from "@/components/Dialog";

import { GuardContext, isLeft, type Kept } from "./useGuard";

const SIGN_IN = "/sign-in"; // who is signed out has nothing to save any more

/** Asks before the application goes to an address where what is not saved is lost: by a link, by Back, by the address. */
export function GuardProvider({ children }: { children: ReactNode }) {
  const [kept, setKept] = useState<Kept>(new Map());
  const [waiting, setWaiting] = useState<{ go: () => void } | null>(null);
  const blocker = useBlocker(
    ({ nextLocation: { pathname, state } }) =>
      pathname !== SIGN_IN &&
      !isUnguarded(state) &&
      [...kept.values()].some((home) => isLeft(home, pathname)),
  );
  const keep = useCallback((id: string, home: string | null) => {
    setKept((all) => {
      const next = new Map(all);
      if (home === null) {
        next.delete(id);
      } else {
        next.set(id, home);
      }
      return next;
    });
  }, []);
  const guard = useMemo(
    () => ({
      keep,
      askAt: (home: string, go: () => void) => {
        if ([...kept.values()].includes(home)) {
          setWaiting({ go });
        } else {
          go();
        }
      },
    }),
    [keep, kept],
  );
  const stay = () => {
    setWaiting(null);
    blocker.reset?.();
  };
  const leave = () => {
    setWaiting(null);
    waiting?.go();
    blocker.proceed?.();
  };
  return (
    <GuardContext value={guard}>
      {children}
      {(waiting !== null || blocker.state === "blocked") && <Question onLeave={leave} onStay={stay} />}
    </GuardContext>
  );
}

function Question({ onLeave, onStay }: { onLeave: () => void; onStay: () => void }) {
  const { t } = useTranslation("admin");
  return (
    <Confirm title={t("guard.title")} deed={t("guard.leave")} onConfirm={onLeave} onClose={onStay}>
      <p>{t("guard.hint")}</p>
    </Confirm>
  );
}

function isUnguarded(state: unknown): boolean {
  return typeof state === "object" && state !== null && "unguarded" in state;
}
