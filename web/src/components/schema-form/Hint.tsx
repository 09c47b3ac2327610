import { Said } from "@/components/Said";

import styles from "./SchemaForm.module.css";

interface Props {
  /** A description from a schema: English, with code in backquotes and links that lead into the manual. */
  text: string;
  /** What the place adds, in the language of the interface. */
  more?: string;
}

export function Hint({ text, more }: Props) {
  return (
    <>
      <Said className={styles["hint"]} text={text} />
      {more && <> {more}</>}
    </>
  );
}
