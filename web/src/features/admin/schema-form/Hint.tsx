import styles from "./SchemaForm.module.css";

interface Props {
  /** A description from a schema: English, with code in backquotes and links that lead into the manual. */
  text: string;
  /** What the place adds, in the language of the interface. */
  more?: string;
}

export function Hint({ text, more }: Props) {
  const plain = text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\bNone\b/g, "empty");
  return (
    <>
      <span className={styles["hint"]} lang="en" dir="ltr">
        {plain.split("`").map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part))}
      </span>
      {more && <> {more}</>}
    </>
  );
}
