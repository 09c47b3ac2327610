import { Search, SlidersHorizontal, X } from "lucide-react";
import { useEffect, useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Select, TextField } from "@/components/Field";
import { Badge } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import { FilterFields } from "./FilterFields";
import { countNarrowing, isNarrowed, NO_FILTERS, SORTS, type Filters } from "./filters";
import styles from "./list.module.css";

/** Nobody types a word faster than this; the list follows when the hand rests. */
const REST_MS = 300;

interface Props {
  filters: Filters;
  onChange: (change: Partial<Filters>, replace?: boolean) => void;
}

export function FilterBar({ filters, onChange }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const set = countNarrowing(filters);
  const [open, setOpen] = useState(set > 0);
  const id = useId();
  return (
    <div className={styles["filters"]} role="search" aria-label={t("filter.label")}>
      <div className={styles["bar"]}>
        <SearchField
          key={filters.search === "" ? "empty" : "some"}
          value={filters.search}
          onChange={(search) => onChange({ search }, true)}
        />
        <Button
          icon={<SlidersHorizontal aria-hidden />}
          aria-expanded={open}
          aria-controls={id}
          onClick={() => setOpen(!open)}
        >
          {t("filter.open")}
          {set > 0 && <Badge tone="accent">{formats.number(set)}</Badge>}
        </Button>
        <div className={styles["sort"]}>
          <Select
            label={t("sort.label")}
            hideLabel
            value={filters.sort}
            onChange={({ target }) => onChange({ sort: SORTS.find((each) => each === target.value) })}
            options={SORTS.map((value) => ({ value, label: t(`sort.${value}`) }))}
          />
        </div>
        {isNarrowed(filters) && (
          <Button look="quiet" icon={<X aria-hidden />} onClick={() => onChange(NO_FILTERS)}>
            {t("filter.clear")}
          </Button>
        )}
      </div>
      <div id={id} hidden={!open}>
        {open && <FilterFields filters={filters} onChange={onChange} />}
      </div>
    </div>
  );
}

function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation("documents");
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text.trim() === value) {
      return;
    }
    const rest = window.setTimeout(() => onChange(text.trim()), REST_MS);
    return () => window.clearTimeout(rest);
  }, [text, value, onChange]);
  return (
    <div className={styles["search"]}>
      <Search aria-hidden />
      <TextField
        label={t("filter.search")}
        hideLabel
        type="search"
        placeholder={t("filter.search")}
        value={text}
        onChange={({ target }) => setText(target.value)}
      />
    </div>
  );
}
