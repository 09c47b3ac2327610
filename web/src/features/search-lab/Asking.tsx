import { Search } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { Card } from "@/components/Page";
import { ApiError } from "@/lib/api";

import type { Address } from "./address";
import type { Said } from "./api";
import { Conversation } from "./Conversation";
import styles from "./search-lab.module.css";

const EXAMPLES: readonly (readonly [string, string])[] = [
  ["language:de,fr", "language"],
  ['category:"Price lists"', "category"],
  ["-tags:internal,old", "tags"],
  ["heading:Warranty", "heading"],
  ["date>=2025-01-01 date<2026-01-01", "date"],
  ["content_type:faq", "type"],
];

interface Props {
  address: Address;
  history: readonly Said[];
  busy: boolean;
  filterError: unknown;
  onAsk: (asked: { q: string; filter: string }, said: readonly Said[]) => void;
}

/** The query, what was said before it, and the filter. */
export function Asking({ address, history, busy, filterError, onAsk }: Props) {
  const { t } = useTranslation("search-lab");
  const [query, setQuery] = useState(address.query);
  const [filter, setFilter] = useState(address.filter);
  const [said, setSaid] = useState(history);
  const wrongFilter =
    filterError instanceof ApiError && filterError.code === "search.invalid_filter"
      ? filterError.message
      : null;
  return (
    <Card>
      <form
        className={styles["asking"]}
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          onAsk(
            { q: query.trim(), filter: filter.trim() },
            said.filter((each) => each.content.trim() !== ""),
          );
        }}
      >
        <div className={styles["queryRow"]}>
          <TextField
            label={t("query")}
            type="search"
            required
            autoComplete="off"
            placeholder={t("queryExample")}
            value={query}
            onChange={(event) => setQuery(event.target.value)}
          />
          <Button type="submit" look="primary" icon={<Search />} busy={busy}>
            {t("search")}
          </Button>
        </div>
        <TextField
          label={t("filter.label")}
          spellCheck={false}
          autoComplete="off"
          dir="ltr"
          className={styles["code"]}
          value={filter}
          error={wrongFilter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <div className={styles["more"]}>
          <details>
            <summary>{t("filter.help")}</summary>
            <p>{t("filter.lead")}</p>
            <ul className={styles["examples"]}>
              {EXAMPLES.map(([example, meaning]) => (
                <li key={example}>
                  <button
                    type="button"
                    className={styles["example"]}
                    dir="ltr"
                    onClick={() => setFilter(filter.trim() === "" ? example : `${filter.trim()} ${example}`)}
                  >
                    <code>{example}</code>
                  </button>
                  <span>{t(`filter.${meaning}`)}</span>
                </li>
              ))}
            </ul>
          </details>
          <details open={history.length > 0}>
            <summary>{t("history.title")}</summary>
            <Conversation said={said} onSaid={setSaid} />
          </details>
        </div>
      </form>
    </Card>
  );
}
