import { PanelLeft } from "lucide-react";
import { Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { IconButton } from "@/components/Button";
import { classes } from "@/components/classes";
import { Dialog } from "@/components/Dialog";
import { later } from "@/components/Later";
import { Spinner } from "@/components/Spinner";

import styles from "./Chat.module.css";
import { CONVERSATION } from "./loads";
import { NewConversation } from "./NewConversation";
import { Sessions } from "./sessions/Sessions";
import { useCitation } from "./useCitation";
import { useMedia } from "./useMedia";

// A first question can be typed without it.
const Conversation = later(CONVERSATION);

const WARM_UP_MS = 500;
const HIDDEN = "dragoman.chat.sessions-hidden";

/** The conversations at the start of the line, the one that is open beside them, and the source that is looked at. */
export function ChatPage() {
  const { t } = useTranslation("chat");
  const { sessionId } = useParams();
  const isWide = useMedia("(min-width: 60.0625rem)");
  const isVeryWide = useMedia("(min-width: 100rem)");
  const { looked } = useCitation();
  const [drawer, setDrawer] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => void CONVERSATION.load(), WARM_UP_MS);
    return () => window.clearTimeout(timer);
  }, []);
  const [hidden, setHidden] = useState(() => localStorage.getItem(HIDDEN) === "yes");
  // A source that is looked at needs the room; the list stays as it is behind it.
  const crowded = looked !== null && !isVeryWide;
  const column = isWide && !hidden;
  const shown = column && !crowded;
  const toggle = () => {
    if (!isWide || crowded) {
      setDrawer(true);
      return;
    }
    localStorage.setItem(HIDDEN, hidden ? "no" : "yes");
    setHidden(!hidden);
  };
  const opener = (
    <IconButton
      label={t(shown ? "sessions.hide" : "sessions.show")}
      icon={<PanelLeft />}
      aria-expanded={shown || drawer}
      onClick={toggle}
    />
  );
  return (
    <div className={classes(styles["area"], shown && styles["withColumn"])}>
      {column && (
        <aside className={styles["column"]} hidden={crowded} aria-label={t("sessions.title")}>
          <Sessions activeId={sessionId ?? null} />
        </aside>
      )}
      {drawer && !shown && (
        <Dialog title={t("sessions.title")} look="side" onClose={() => setDrawer(false)}>
          <Sessions activeId={sessionId ?? null} onChosen={() => setDrawer(false)} />
        </Dialog>
      )}
      <Suspense fallback={<Spinner />}>
        {sessionId === undefined ? (
          <NewConversation opener={opener} />
        ) : (
          <Conversation key={sessionId} sessionId={sessionId} opener={opener} />
        )}
      </Suspense>
    </div>
  );
}
