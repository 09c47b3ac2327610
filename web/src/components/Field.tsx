import {
  useId,
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
} from "react";

import { classes } from "./classes";
import styles from "./Field.module.css";

interface Around {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value and what to do about it. */
  error?: string | null | undefined;
  /** The label is there for screen readers only, where the place says it. */
  hideLabel?: boolean;
}

interface Wired {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** A label, a control, a hint and an error that belong together. `children` gets what ties the control to them. */
export function Field({
  label,
  hint,
  error,
  hideLabel,
  children,
}: Around & { children: (wired: Wired) => ReactNode }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className={styles["field"]}>
      <label htmlFor={id} className={hideLabel ? styles["hidden"] : styles["label"]}>
        {label}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {hint && (
        <p id={`${id}-hint`} className={styles["hint"]}>
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className={styles["error"]} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  hint,
  error,
  hideLabel,
  className,
  ...rest
}: Around & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field label={label} hint={hint} error={error} hideLabel={hideLabel}>
      {(wired) => <input dir="auto" {...rest} {...wired} className={classes(styles["control"], className)} />}
    </Field>
  );
}

export function TextArea({
  label,
  hint,
  error,
  hideLabel,
  className,
  ...rest
}: Around & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field label={label} hint={hint} error={error} hideLabel={hideLabel}>
      {(wired) => (
        <textarea
          dir="auto"
          rows={4}
          {...rest}
          {...wired}
          className={classes(styles["control"], className)}
        />
      )}
    </Field>
  );
}

export interface Option {
  value: string;
  label: string;
  disabled?: boolean;
}

export function Select({
  label,
  hint,
  error,
  hideLabel,
  options,
  className,
  ...rest
}: Around & { options: readonly Option[] } & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field label={label} hint={hint} error={error} hideLabel={hideLabel}>
      {(wired) => (
        <select {...rest} {...wired} className={classes(styles["control"], styles["select"], className)}>
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.disabled}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface CheckProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type"> {
  label: ReactNode;
  hint?: ReactNode;
  /** A switch holds at once; a checkbox with the form that it is in. */
  look?: "checkbox" | "switch";
}

export function Check({ label, hint, look = "checkbox", className, ...rest }: CheckProps) {
  const id = useId();
  return (
    <div className={classes(styles["check"], className)}>
      <input
        {...rest}
        id={id}
        type="checkbox"
        role={look === "switch" ? "switch" : undefined}
        className={look === "switch" ? styles["switch"] : styles["box"]}
        aria-describedby={hint ? `${id}-hint` : undefined}
      />
      <div>
        <label htmlFor={id}>{label}</label>
        {hint && (
          <p id={`${id}-hint`} className={styles["hint"]}>
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
