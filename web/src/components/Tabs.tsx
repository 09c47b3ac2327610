import { useId, useRef, type KeyboardEvent, type ReactNode } from "react";

import styles from "./Tabs.module.css";

export interface Tab {
  key: string;
  title: ReactNode;
}

interface Props {
  /** What the tabs choose among, for screen readers. */
  label: string;
  tabs: readonly Tab[];
  current: string;
  onChange: (key: string) => void;
  children: ReactNode;
}

/** Tabs by the pattern of the ARIA Authoring Practices Guide: arrows move, and what is reached shows at once. */
export function Tabs({ label, tabs, current, onChange, children }: Props) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const isRightToLeft = document.documentElement.dir === "rtl";
    const steps: Record<string, number> = {
      ArrowRight: isRightToLeft ? -1 : 1,
      ArrowLeft: isRightToLeft ? 1 : -1,
    };
    const at = tabs.findIndex((tab) => tab.key === current);
    const step = steps[event.key];
    const next =
      event.key === "Home"
        ? 0
        : event.key === "End"
          ? tabs.length - 1
          : step && (at + step + tabs.length) % tabs.length;
    const target = next === undefined ? undefined : tabs[next];
    if (target !== undefined) {
      event.preventDefault();
      onChange(target.key);
      list.current?.querySelectorAll<HTMLElement>("[role=tab]")[tabs.indexOf(target)]?.focus();
    }
  };
  return (
    <div className={styles["tabs"]}>
      <div role="tablist" aria-label={label} className={styles["list"]} ref={list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={tab.key === current}
            aria-controls={`${id}-panel`}
            tabIndex={tab.key === current ? 0 : -1}
            className={styles["tab"]}
            onClick={() => onChange(tab.key)}
          >
            {tab.title}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${current}`}
        tabIndex={0}
        className={styles["panel"]}
      >
        {children}
      </div>
    </div>
  );
}
