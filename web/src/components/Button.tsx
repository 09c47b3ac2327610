import type { ButtonHTMLAttributes, ReactNode } from "react";

import styles from "./Button.module.css";
import { classes } from "./classes";
import { Spinner } from "./Spinner";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary` once a page; `danger` for what cannot be taken back. */
  look?: "primary" | "plain" | "quiet" | "danger";
  size?: "small" | "usual";
  icon?: ReactNode;
  /** Something is under way: pressed again, it does nothing. */
  busy?: boolean;
}

export function Button({
  look = "plain",
  size = "usual",
  icon,
  busy = false,
  children,
  className,
  ...rest
}: Props) {
  return (
    <button
      type="button"
      {...rest}
      className={classes(styles["button"], styles[look], size === "small" && styles["small"], className)}
      aria-busy={busy || undefined}
      disabled={rest.disabled ?? busy}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<Props, "children" | "icon"> {
  /** What it does, for those who do not see the icon; also its tooltip. */
  label: string;
  icon: ReactNode;
}

export function IconButton({ label, icon, look = "quiet", className, ...rest }: IconButtonProps) {
  return (
    <Button
      {...rest}
      look={look}
      className={classes(styles["iconOnly"], className)}
      icon={icon}
      aria-label={label}
      title={label}
    />
  );
}
