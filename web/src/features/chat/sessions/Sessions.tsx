import { Archive, ArchiveRestore, MessageSquarePlus, Search } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useChatbot } from "@/lib/session";

import { useSessions } from "../api";
import { byDay } from "../days";
import { SessionRow } from "./SessionRow";
import styles from "./Sessions.module.css";

interface Props {
  activeId: string | null;
  /** On narrow screens the list closes when one was chosen. */
  onChosen?: () => void;
}

export function Sessions({ activeId, onChosen }: Props) {
  const { t } = useTranslation("chat");
  const { chatbot } = useChatbot();
  const [search, setSearch] = useState("");
  const [archived, setArchived] = useState(false);
  const wanted = useSettled(search.trim());
  const found = useSessions(chatbot?.id ?? null, wanted, archived);
  const sessions = useMemo(() => found.data?.pages.flatMap((page) => page.sessions) ?? [], [found.data]);
  const groups = useMemo(() => byDay(sessions), [sessions]);
  return (
    <div className={styles["sessions"]}>
      <div className={styles["top"]}>
        <Link className={styles["new"]} to="/chat" onClick={onChosen}>
          <MessageSquarePlus aria-hidden="true" />
          {t("sessions.new")}
        </Link>
        <div className={styles["search"]}>
          <Search aria-hidden="true" />
          <TextField
            label={t("sessions.search")}
            hideLabel
            type="search"
            placeholder={t("sessions.search")}
            maxLength={200}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
      </div>
      <nav className={styles["list"]} aria-label={t("sessions.title")}>
        {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
        {found.isPending && <Spinner label={t("sessions.loading")} />}
        {groups.map(({ group, items }) => (
          <section key={group} aria-label={t(`sessions.days.${group}`)}>
            <h2 className={styles["day"]}>{t(`sessions.days.${group}`)}</h2>
            <ul>
              {items.map((session) => (
                <SessionRow
                  key={session.id}
                  session={session}
                  searched={wanted}
                  isActive={session.id === activeId}
                  onChosen={onChosen}
                />
              ))}
            </ul>
          </section>
        ))}
        {found.isSuccess && sessions.length === 0 && (
          <p className={styles["none"]}>
            {t(wanted ? "sessions.noneFound" : archived ? "sessions.noneArchived" : "sessions.none")}
          </p>
        )}
        {found.hasNextPage && (
          <More busy={found.isFetchingNextPage} onMore={() => void found.fetchNextPage()} />
        )}
      </nav>
      <div className={styles["foot"]}>
        <Button
          look="quiet"
          size="small"
          icon={archived ? <ArchiveRestore /> : <Archive />}
          aria-pressed={archived}
          onClick={() => setArchived(!archived)}
        >
          {t(archived ? "sessions.showCurrent" : "sessions.showArchived")}
        </Button>
      </div>
      <p className={styles["hidden"]} role="status">
        {wanted && found.isSuccess ? t("sessions.found", { count: found.data.pages[0]?.total ?? 0 }) : ""}
      </p>
    </div>
  );
}

const SETTLED_MS = 250;

/** What was typed, once the typing rests. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), SETTLED_MS);
    return () => window.clearTimeout(timer);
  }, [value]);
  return useDeferredValue(settled);
}

/** Brings the next conversations when it comes into view; a button for those who go by keyboard. */
function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const { t } = useTranslation("chat");
  const ref = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  useEffect(() => {
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        more.current();
      }
    });
    if (ref.current !== null) {
      seen.observe(ref.current);
    }
    return () => seen.disconnect();
  }, [busy]);
  return (
    <div ref={ref} className={styles["more"]}>
      <Button look="quiet" size="small" busy={busy} onClick={onMore}>
        {t("sessions.more")}
      </Button>
    </div>
  );
}
