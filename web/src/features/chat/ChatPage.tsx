import { PanelLeft } from "lucide-react";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { IconButton } from "@/components/Button";
import { classes } from "@/components/classes";
import { Dialog } from "@/components/Dialog";
import { Spinner } from "@/components/Spinner";

import styles from "./Chat.module.css";
import { Conversation } from "./Conversation";
import { NewConversation } from "./NewConversation";
import { Sessions } from "./sessions/Sessions";
import { useMedia } from "./useMedia";

const HIDDEN = "dragoman.chat.sessions-hidden";

/** The conversations at the start of the line, the one that is open beside them, and the source that is looked at. */
export function ChatPage() {
  const { t } = useTranslation("chat");
  const { sessionId } = useParams();
  const isWide = useMedia("(min-width: 60.0625rem)");
  const [drawer, setDrawer] = useState(false);
  const [hidden, setHidden] = useState(() => localStorage.getItem(HIDDEN) === "yes");
  const toggle = () => {
    if (!isWide) {
      setDrawer(true);
      return;
    }
    localStorage.setItem(HIDDEN, hidden ? "no" : "yes");
    setHidden(!hidden);
  };
  const opener = (
    <IconButton
      label={t(isWide && !hidden ? "sessions.hide" : "sessions.show")}
      icon={<PanelLeft />}
      aria-expanded={isWide ? !hidden : drawer}
      onClick={toggle}
    />
  );
  const column = isWide && !hidden;
  return (
    <div className={classes(styles["area"], column && styles["withColumn"])}>
      {column && (
        <aside className={styles["column"]} aria-label={t("sessions.title")}>
          <Sessions activeId={sessionId ?? null} />
        </aside>
      )}
      {drawer && !isWide && (
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
