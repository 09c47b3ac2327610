import type { ReactNode } from "react";

import { LanguageChoice } from "./LanguageChoice";
import styles from "./sign-in.module.css";

/** The frame of the pages before the sign-in: a card in the middle, and the language below it. */
export function Entrance({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className={styles["entrance"]}>
      <div className={styles["card"]}>
        <span className={styles["brand"]}>
          <img src="/icon.svg" alt="" width="36" height="36" />
          Dragoman
        </span>
        <h1>{title}</h1>
        {children}
      </div>
      <LanguageChoice />
    </main>
  );
}
