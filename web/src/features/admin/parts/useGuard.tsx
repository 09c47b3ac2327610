import { useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Confirm } from "@/components/Dialog";

/**
 * Guards what is not saved: asks before a link of the application leads away, and has the browser ask before the page
 * is closed or loaded anew. `ask` is for deeds of the page itself. Returns the question while it is asked.
 */
export function useGuard(isDirty: boolean): { question: ReactNode; ask: (go: () => void) => void } {
  const { t } = useTranslation("admin");
  const navigate = useNavigate();
  const [waiting, setWaiting] = useState<{ go: () => void } | null>(null);
  useEffect(() => {
    if (!isDirty) {
      return;
    }
    const onUnload = (event: BeforeUnloadEvent) => event.preventDefault();
    const onClick = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
      if (
        !(link instanceof HTMLAnchorElement) ||
        link.target === "_blank" ||
        event.ctrlKey ||
        event.metaKey
      ) {
        return;
      }
      const { origin, pathname, search, hash } = new URL(link.href);
      if (origin === window.location.origin && (pathname !== window.location.pathname || search)) {
        event.preventDefault();
        event.stopPropagation();
        setWaiting({ go: () => void navigate(pathname + search + hash) });
      }
    };
    window.addEventListener("beforeunload", onUnload);
    document.addEventListener("click", onClick, true);
    return () => {
      window.removeEventListener("beforeunload", onUnload);
      document.removeEventListener("click", onClick, true);
    };
  }, [isDirty, navigate]);
  const question = waiting && (
    <Confirm
      title={t("guard.title")}
      deed={t("guard.leave")}
      onConfirm={() => {
        setWaiting(null);
        waiting.go();
      }}
      onClose={() => setWaiting(null)}
    >
      <p>{t("guard.hint")}</p>
    </Confirm>
  );
  return { question, ask: (go) => (isDirty ? setWaiting({ go }) : go()) };
}
