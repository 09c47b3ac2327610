import { useTranslation } from "react-i18next";

import { Check } from "@/components/Field";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import type { Permission } from "./api";

interface Props {
  /** Null: all that the role may do. */
  value: readonly Permission[] | null;
  onChange: (scopes: readonly Permission[] | null) => void;
}

/** A part of a role's permissions. One's own are offered: nobody gives more than that. */
export function Scopes({ value, onChange }: Props) {
  const { t } = useTranslation("admin");
  const { me } = useSession();
  return (
    <fieldset className={styles["form"]}>
      <legend className={styles["legend"]}>{t("keys.scopes")}</legend>
      <Check
        label={t("keys.allScopes")}
        checked={value === null}
        onChange={(event) => onChange(event.target.checked ? null : ["ask", "search"])}
      />
      {value !== null && (
        <div className={styles["checks"]}>
          {me.permissions.map((each) => (
            <Check
              key={each}
              label={<code dir="ltr">{each}</code>}
              checked={value.includes(each)}
              onChange={({ target }) =>
                onChange(target.checked ? [...value, each] : value.filter((other) => other !== each))
              }
            />
          ))}
        </div>
      )}
    </fieldset>
  );
}
