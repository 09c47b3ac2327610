import { useEffect, type ReactNode } from "react";

import styles from "./Page.module.css";

interface Props {
  title: string;
  /** What the page is for, in a sentence. */
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page with its heading. The heading is the title of the browser's tab too. */
export function Page({ title, lead, actions, children }: Props) {
  useTitle(title);
  return (
    <div className={styles["page"]}>
      <header className={styles["head"]}>
        <div>
          <h1>{title}</h1>
          {lead && <p className={styles["lead"]}>{lead}</p>}
        </div>
        {actions && <div className={styles["actions"]}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Dragoman`;
  }, [title]);
}

/** A part of a page that stands on a surface of its own. */
export function Card({
  title,
  actions,
  children,
}: {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className={styles["card"]}>
      {(title !== undefined || actions) && (
        <header className={styles["cardHead"]}>
          {title !== undefined && <h2>{title}</h2>}
          {actions && <div className={styles["actions"]}>{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}
