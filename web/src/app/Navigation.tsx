import { LogOut, Menu as MenuIcon, X } from "lucide-react";
import { NavLink, useLocation } from "react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { classes } from "@/components/classes";
import { Select } from "@/components/Field";
import { useToasts } from "@/components/Toasts";
import { useChatbot, useSession } from "@/lib/session";

import type { Area } from "./areas";
import styles from "./Navigation.module.css";
import { Preferences } from "./Preferences";

interface Props {
  areas: readonly Area[];
  /** On narrow screens the navigation is out of sight until it is opened. */
  open: boolean;
  onOpen: (open: boolean) => void;
}

export function Navigation({ areas, open, onOpen }: Props) {
  const { t } = useTranslation();
  const { me, signOut } = useSession();
  const tell = useToasts();
  const { pathname } = useLocation();
  useEffect(() => onOpen(false), [pathname, onOpen]);
  return (
    <>
      <header className={styles["bar"]}>
        <IconButton
          label={t(open ? "navigation.close" : "navigation.open")}
          icon={open ? <X /> : <MenuIcon />}
          aria-expanded={open}
          aria-controls="navigation"
          onClick={() => onOpen(!open)}
        />
        <Brand />
      </header>
      <aside
        id="navigation"
        aria-label="Dragoman"
        className={classes(styles["side"], open && styles["open"])}
      >
        <Brand />
        <ChatbotChoice />
        <nav aria-label={t("navigation.label")} className={styles["links"]}>
          {areas.map((area) => (
            <NavLink key={area.path} to={area.path} className={styles["link"] ?? ""}>
              <area.icon aria-hidden="true" />
              {t(`areas.${area.name}`)}
            </NavLink>
          ))}
        </nav>
        <div className={styles["foot"]}>
          <Preferences />
          <div className={styles["who"]}>
            <span className={styles["name"]} dir="auto">
              {[me.display_name, me.email].find(Boolean) ?? t("navigation.apiKey")}
              <small dir="auto">{me.tenant_name}</small>
            </span>
            <IconButton
              label={t("signOut")}
              icon={<LogOut />}
              onClick={() => void signOut().catch(tell.failed)}
            />
          </div>
        </div>
      </aside>
      {open && (
        <Button
          className={styles["shade"]}
          aria-label={t("navigation.close")}
          onClick={() => onOpen(false)}
        />
      )}
    </>
  );
}

function Brand() {
  return (
    <span className={styles["brand"]}>
      <img src="/icon.svg" alt="" width="28" height="28" />
      Dragoman
    </span>
  );
}

/** Which chatbot the pages are about. Not shown where there is no choice. */
function ChatbotChoice() {
  const { t } = useTranslation();
  const { chatbot, chatbots, choose } = useChatbot();
  if (chatbot === null || chatbots.length < 2) {
    return null;
  }
  return (
    <Select
      label={t("chatbot")}
      hideLabel
      value={chatbot.id}
      onChange={(event) => choose(event.target.value)}
      options={chatbots.map((each) => ({ value: each.id, label: each.name }))}
    />
  );
}
