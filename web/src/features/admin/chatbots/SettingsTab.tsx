import { Search } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { TextField } from "@/components/Field";
import { Empty } from "@/components/Notes";
import { Card } from "@/components/Page";
import type { FormField } from "@/components/schema-form/schema";
import { SchemaForm } from "@/components/schema-form/SchemaForm";
import { useSaid } from "@/lib/said";

import adminStyles from "../admin.module.css";
import type { ChatbotOut } from "./api";
import styles from "./chatbots.module.css";
import { fieldsIn, GROUPS } from "./groups";
import { TryIt } from "./TryIt";
import type { Draft } from "./useDraft";
import { useSurroundings } from "./useSurroundings";

interface Props {
  chatbot: ChatbotOut;
  fields: readonly FormField[];
  draft: Draft;
}

export function SettingsTab({ chatbot, fields, draft }: Props) {
  const { t } = useTranslation("admin");
  const said = useSaid();
  const around = useSurroundings(draft.own.has("answerer"));
  const [query, setQuery] = useSearchParams();
  const search = query.get("find") ?? "";
  const group = GROUPS.find((each) => each === query.get("group")) ?? "answering";
  const offered = GROUPS.filter((each) => fieldsIn(each, fields).length > 0);
  const shown = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    return wanted === ""
      ? fieldsIn(group, fields)
      : GROUPS.flatMap((each) => fieldsIn(each, fields)).filter((field) =>
          `${field.name} ${around.labelOf(field.name) ?? ""} ${said(field.description).text}`
            .toLowerCase()
            .includes(wanted),
        );
  }, [search, group, fields, around, said]);
  return (
    <div className={styles["split"]}>
      <div className={adminStyles["form"]}>
        <TextField
          label={t("settings.find")}
          hideLabel
          type="search"
          placeholder={t("settings.find")}
          value={search}
          onChange={({ target }) =>
            setQuery(target.value ? { find: target.value } : { group }, { replace: true })
          }
        />
        <div className={styles["groups"]} role="group" aria-label={t("settings.groups.label")}>
          {offered.map((each) => (
            <button
              key={each}
              type="button"
              className={styles["group"]}
              aria-pressed={search === "" && each === group}
              onClick={() => setQuery({ group: each }, { replace: true })}
            >
              {t(`settings.groups.${each}`)}
            </button>
          ))}
        </div>
        <Card
          title={search === "" ? t(`settings.groups.${group}`) : t("settings.found", { count: shown.length })}
        >
          {shown.length === 0 ? (
            <Empty icon={<Search />} title={t("settings.nothing")} />
          ) : (
            <SchemaForm
              {...around}
              fields={shown}
              values={draft.values}
              own={draft.own}
              changed={draft.changed}
              onChange={draft.change}
              onReset={draft.bringBack}
            />
          )}
        </Card>
      </div>
      <aside className={styles["aside"]} aria-label={t("try.title")}>
        <TryIt chatbot={chatbot} isDirty={draft.changed.size > 0} />
      </aside>
    </div>
  );
}
