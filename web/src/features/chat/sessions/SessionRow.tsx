import { Archive, ArchiveRestore, Ellipsis, FileJson, FileText, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Menu } from "@/components/Menu";
import { useToasts } from "@/components/Toasts";

import { downloadSession, useChangeSession, type Session } from "../api";
import { DeleteSession, RenameSession } from "./deeds";
import styles from "./Sessions.module.css";

interface Props {
  session: Session;
  searched: string;
  isActive: boolean;
  onChosen?: () => void;
}

export function SessionRow({ session, searched, isActive, onChosen }: Props) {
  const { t } = useTranslation("chat");
  const title = session.title || t("sessions.untitled");
  return (
    <li className={styles["row"]} data-active={isActive || undefined}>
      <Link
        className={styles["link"]}
        to={`/chat/${session.id}`}
        aria-current={isActive ? "page" : undefined}
        onClick={onChosen}
      >
        <span className={styles["title"]} dir="auto">
          {title}
        </span>
        {session.excerpt && (
          <span className={styles["excerpt"]} dir="auto">
            <Found text={session.excerpt} searched={searched} />
          </span>
        )}
      </Link>
      <SessionMenu session={session} isActive={isActive} />
    </li>
  );
}

/** What can be done with a conversation, in the list and above it. */
export function SessionMenu({ session, isActive }: { session: Session; isActive: boolean }) {
  const { t } = useTranslation("chat");
  const tell = useToasts();
  const change = useChangeSession(session.id);
  const [open, setOpen] = useState<"rename" | "delete" | null>(null);
  const archive = () =>
    change.mutate(
      { is_archived: !session.is_archived },
      {
        onSuccess: () => tell.done(t(session.is_archived ? "sessions.unarchived" : "sessions.archived")),
        onError: tell.failed,
      },
    );
  const download = (format: "markdown" | "json") => {
    downloadSession(session, format).catch(tell.failed);
  };
  return (
    <>
      <Menu
        label={t("sessions.menu", { title: session.title || t("sessions.untitled") })}
        icon={<Ellipsis />}
        items={[
          { label: t("sessions.rename"), icon: <Pencil />, onSelect: () => setOpen("rename") },
          { label: t("sessions.asMarkdown"), icon: <FileText />, onSelect: () => download("markdown") },
          { label: t("sessions.asJson"), icon: <FileJson />, onSelect: () => download("json") },
          {
            label: t(session.is_archived ? "sessions.unarchive" : "sessions.archive"),
            icon: session.is_archived ? <ArchiveRestore /> : <Archive />,
            onSelect: archive,
          },
          { label: t("sessions.delete"), icon: <Trash2 />, danger: true, onSelect: () => setOpen("delete") },
        ]}
      />
      {open === "rename" && <RenameSession session={session} onClose={() => setOpen(null)} />}
      {open === "delete" && (
        <DeleteSession session={session} isActive={isActive} onClose={() => setOpen(null)} />
      )}
    </>
  );
}

/** The words that were searched for stand out in the excerpt. */
function Found({ text, searched }: { text: string; searched: string }) {
  const at = searched === "" ? -1 : text.toLowerCase().indexOf(searched.toLowerCase());
  if (at < 0) {
    return text;
  }
  const end = at + searched.length;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </>
  );
}
