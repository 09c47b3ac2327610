import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";

import styles from "../admin.module.css";
import { NAMES, type Filters } from "./filters";

export function FilterBar({ filters }: { filters: Filters }) {
  const { t } = useTranslation("admin");
  const [, setQuery] = useSearchParams();
  const isFiltered = Object.values(filters).some(Boolean);
  return (
    <form
      key={JSON.stringify(filters)}
      className={styles["filters"]}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget);
        const next = new URLSearchParams();
        NAMES.forEach((name) => {
          const value = given.get(name);
          if (typeof value === "string" && value.trim()) {
            next.set(name, value.trim());
          }
        });
        setQuery(next);
      }}
    >
      {NAMES.map((name) => (
        <TextField
          key={name}
          label={t(`audit.filters.${name}`)}
          name={name}
          type={name === "first" || name === "last" ? "date" : "search"}
          placeholder={name === "action" ? "document." : undefined}
          defaultValue={filters[name]}
        />
      ))}
      <div className={styles["row"]}>
        <Button type="submit" look="primary">
          {t("audit.filter")}
        </Button>
        {isFiltered && (
          <Button look="quiet" onClick={() => setQuery(new URLSearchParams())}>
            {t("audit.clear")}
          </Button>
        )}
      </div>
    </form>
  );
}
