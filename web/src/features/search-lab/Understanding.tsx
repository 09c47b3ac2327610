import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Found } from "./api";
import styles from "./search-lab.module.css";

/** How the query was read: language, completion, other wordings, and the words that count. */
export function Understanding({ found }: { found: Found }) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  const told = found.explanation;
  if (!told) {
    return null;
  }
  const heaviest = Math.max(...told.terms.map((term) => term.weight), 0.01);
  const synonyms = Object.entries(told.synonyms);
  return (
    <dl className={styles["facts"]}>
      <Fact name={t("understanding.language")}>{formats.languageName(found.language)}</Fact>
      {told.searched_query !== found.query && (
        <Fact name={t("understanding.searched")}>
          <span dir="auto">{told.searched_query}</span>
        </Fact>
      )}
      {told.rewritten_by !== "none" && (
        <Fact name={t("understanding.completed")}>
          {t(`understanding.by.${told.rewritten_by}`, { defaultValue: told.rewritten_by })}
        </Fact>
      )}
      {told.translated_to && (
        <Fact name={t("understanding.translated")}>{formats.languageName(told.translated_to)}</Fact>
      )}
      {told.also_asked.length > 0 && (
        <Fact name={t("understanding.also")}>
          <ul>
            {told.also_asked.map((each) => (
              <li key={each.query} dir="auto">
                {each.query} ({formats.percent(each.weight)})
              </li>
            ))}
          </ul>
        </Fact>
      )}
      {synonyms.length > 0 && (
        <Fact name={t("understanding.synonyms")}>
          <span dir="auto">
            {synonyms.map(([word, names]) => `${word} → ${names.join(", ")}`).join("; ")}
          </span>
        </Fact>
      )}
      {told.terms.length > 0 && (
        <Fact name={t("understanding.terms")}>
          <ul className={styles["terms"]}>
            {told.terms.map((term) => (
              <li key={term.forms.join()} dir="auto">
                <span>
                  {term.forms[0]}{" "}
                  {term.corrected_from !== "" && (
                    <small>{t("understanding.typed", { word: term.corrected_from })}</small>
                  )}
                </span>
                <meter
                  min={0}
                  max={heaviest}
                  value={term.weight}
                  aria-label={t("understanding.weight", { word: term.forms[0] ?? "" })}
                />
                <small>{formats.number(term.weight, { maximumFractionDigits: 1 })}</small>
              </li>
            ))}
          </ul>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
