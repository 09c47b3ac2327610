import styles from "./Spinner.module.css";

/** Something is under way. With `label` it is told to screen readers too. */
export function Spinner({ label }: { label?: string }) {
  return label === undefined ? (
    <span className={styles["spinner"]} aria-hidden="true" />
  ) : (
    <span className={styles["row"]} role="status">
      <span className={styles["spinner"]} aria-hidden="true" />
      {label}
    </span>
  );
}
