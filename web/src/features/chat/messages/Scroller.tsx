import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";

import styles from "../Chat.module.css";

const NEAR_PX = 60;

/** Stays at the end while more comes, unless the reader scrolled up; then a button leads to the latest. */
export function Scroller({ follow, children }: { follow: number; children: ReactNode }) {
  const { t } = useTranslation("chat");
  const scrolled = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const [away, setAway] = useState(false);

  const toEnd = useCallback(() => {
    const box = scrolled.current;
    if (box !== null) {
      sticks.current = true;
      box.scrollTop = box.scrollHeight;
    }
  }, []);
  useLayoutEffect(toEnd, [toEnd, follow]);
  useEffect(() => {
    const box = scrolled.current;
    if (box === null || content.current === null) {
      return;
    }
    let top = box.scrollTop;
    const onScroll = () => {
      const isNear = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
      // Only a reader scrolls up: what grows below moves nothing.
      sticks.current = isNear || (sticks.current && box.scrollTop >= top);
      top = box.scrollTop;
      setAway(!isNear);
    };
    const grown = new ResizeObserver(() => {
      if (sticks.current) {
        box.scrollTop = box.scrollHeight;
      }
    });
    grown.observe(content.current);
    grown.observe(box);
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      grown.disconnect();
      box.removeEventListener("scroll", onScroll);
    };
  }, []);
  return (
    <div className={styles["scroller"]}>
      <div
        ref={scrolled}
        className={styles["scrolled"]}
        tabIndex={0}
        role="region"
        aria-label={t("conversation.messages")}
      >
        <div ref={content} className={styles["messages"]}>
          {children}
        </div>
      </div>
      {away && (
        <div className={styles["latest"]}>
          <Button size="small" icon={<ArrowDown />} onClick={toEnd}>
            {t("conversation.toLatest")}
          </Button>
        </div>
      )}
    </div>
  );
}
