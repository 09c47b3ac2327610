import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { ROLES, rolesUpTo, type Role } from "./roles";

interface Props {
  value: Role;
  onChange: (role: Role) => void;
  label?: string;
  hideLabel?: boolean;
  disabled?: boolean;
}

/** A role at most as high as one's own, with what it is for. */
export function RoleSelect({ value, onChange, label, hideLabel, disabled }: Props) {
  const { t } = useTranslation("admin");
  const { me } = useSession();
  const offered = disabled ? ROLES : rolesUpTo(me.role);
  return (
    <Select
      className={hideLabel ? styles["inline"] : undefined}
      label={label ?? t("role")}
      hideLabel={hideLabel}
      hint={hideLabel ? undefined : t(`roleHints.${value}`)}
      disabled={disabled}
      value={value}
      onChange={({ target }) => onChange(ROLES.find((each) => each === target.value) ?? value)}
      options={offered.map((each) => ({ value: each, label: t(`roles.${each}`) }))}
    />
  );
}
