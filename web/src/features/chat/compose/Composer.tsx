import { ArrowUp, Square } from "lucide-react";
import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
} from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { classes } from "@/components/classes";

import styles from "./Composer.module.css";
import { useWait } from "./useWait";

/** The most that the API takes of a question. */
export const QUESTION_CHARACTERS = 8000;
const COUNTED_FROM = 7000;
const draftName = (key: string) => `dragoman.draft.${key}`;

export function dropDraft(key: string): void {
  sessionStorage.removeItem(draftName(key));
}

interface Props {
  /** Of which conversation the draft is. */
  draftKey: string;
  busy: boolean;
  stopping?: boolean;
  /** Why the last question was refused: where it says when to go on, that is waited for. */
  refused?: unknown;
  /** Why no questions are taken. */
  closed?: string | null;
  onReopen?: () => void;
  onSend: (question: string) => void;
  /** Not given: what is under way cannot be stopped. */
  onStop?: () => void;
  /** Stands at the start of the line below the text. */
  extra?: ReactNode;
}

export function Composer({
  draftKey,
  busy,
  stopping = false,
  refused,
  closed = null,
  onReopen,
  onSend,
  onStop,
  extra,
}: Props) {
  const { t } = useTranslation("chat");
  const [text, setText] = useState(() => sessionStorage.getItem(draftName(draftKey)) ?? "");
  const area = useGrowing(text);
  const id = useId();
  const waitS = useWait(refused);
  const length = text.length > COUNTED_FROM ? Array.from(text).length : text.length;
  const tooLong = length > QUESTION_CHARACTERS;
  const reason =
    closed ??
    (waitS > 0
      ? t("compose.wait", { count: waitS })
      : tooLong
        ? t("compose.tooLong", { count: length - QUESTION_CHARACTERS })
        : null);
  const blocked = busy || reason !== null || text.trim() === "";

  useFocus(area);
  const write = (next: string) => {
    setText(next);
    sessionStorage.setItem(draftName(draftKey), next);
  };
  const send = () => {
    if (!blocked) {
      onSend(text.trim());
      setText("");
      dropDraft(draftKey);
      area.current?.focus();
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends the composing of a word (Japanese, Chinese) does not send; Safari says so by the code 229 only.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else tells it there
    const composes = event.nativeEvent.isComposing || event.nativeEvent.keyCode === 229;
    if (event.key === "Enter" && !event.shiftKey && !composes) {
      event.preventDefault();
      send();
    }
  };
  return (
    <form
      className={styles["composer"]}
      aria-label={t("compose.label")}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label htmlFor={id} className={styles["hidden"]}>
        {t("compose.question")}
      </label>
      <textarea
        ref={area}
        id={id}
        className={styles["text"]}
        dir="auto"
        rows={1}
        placeholder={t("compose.placeholder")}
        value={text}
        disabled={closed !== null}
        aria-describedby={`${id}-hint`}
        aria-invalid={tooLong || undefined}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className={styles["row"]}>
        {extra}
        <p id={`${id}-hint`} className={classes(styles["hint"], reason && styles["reason"])}>
          {reason ??
            (length > COUNTED_FROM
              ? t("compose.left", { count: QUESTION_CHARACTERS - length })
              : t("compose.hint"))}
        </p>
        {onReopen && (
          <Button size="small" onClick={onReopen}>
            {t("compose.reopen")}
          </Button>
        )}
        {busy && onStop ? (
          <IconButton
            className={styles["send"]}
            look="plain"
            label={t("compose.stop")}
            icon={<Square />}
            busy={stopping}
            onClick={onStop}
          />
        ) : (
          <IconButton
            className={styles["send"]}
            look="primary"
            type="submit"
            label={t("compose.send")}
            icon={<ArrowUp />}
            busy={busy}
            disabled={blocked}
          />
        )}
      </div>
      <p className={styles["hidden"]} role="status">
        {reason !== null && waitS === 0 ? reason : ""}
      </p>
    </form>
  );
}

/** Where there is a keyboard, the text has the focus at once; `/` brings it from anywhere that is no field. */
function useFocus(area: { current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    if (window.matchMedia("(hover: hover) and (pointer: fine)").matches) {
      area.current?.focus();
    }
    const bring = (event: globalThis.KeyboardEvent) => {
      const at = event.target instanceof HTMLElement ? event.target : null;
      const inField = at?.closest("input, textarea, select, dialog, [contenteditable]") ?? null;
      if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && inField === null) {
        event.preventDefault();
        area.current?.focus();
      }
    };
    document.addEventListener("keydown", bring);
    return () => document.removeEventListener("keydown", bring);
  }, [area]);
}

/** As tall as its text, up to what the style allows. */
function useGrowing(text: string) {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const shown = area.current;
    if (shown !== null) {
      shown.style.blockSize = "auto";
      shown.style.blockSize = `${shown.scrollHeight + 2}px`;
    }
  }, [text]);
  return area;
}
