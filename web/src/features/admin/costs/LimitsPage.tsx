import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card, Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";
import type { Schemas } from "@/lib/api";

import styles from "../admin.module.css";
import { useDeed } from "../parts/useDeed";
import { useGuard } from "../parts/useGuard";
import { LIMITS, setLimits, useLimits } from "./api";

type Name = keyof Schemas["EffectiveQuotas"];
const GROUPS = ["messages", "searches", "documents", "streams"] as const;

export function LimitsPage() {
  const { t } = useTranslation("admin");
  const { data, error, refetch } = useLimits();
  return (
    <Page title={t("limits.title")} lead={t("limits.lead")}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {data ? (
        <Form key={JSON.stringify(data.own)} limits={data} />
      ) : (
        !error && <Spinner label={t("common:loading")} />
      )}
    </Page>
  );
}

function Form({ limits }: { limits: Schemas["LimitsOut"] }) {
  const { t } = useTranslation("admin");
  const { number } = useFormats();
  const names = Object.keys(limits.effective) as Name[];
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(names.map((name) => [name, String(limits.own[name] ?? "")])),
  );
  const deed = useDeed(setLimits, { refresh: [LIMITS], done: t("saved") });
  const wanted = Object.fromEntries(
    names.map((name) => [name, texts[name]?.trim() ? Number(texts[name]) : null]),
  );
  const isChanged = names.some((name) => (limits.own[name] ?? null) !== wanted[name]);
  useGuard(isChanged, "/admin/limits");
  const effective = (name: Name) =>
    limits.effective[name] === 0 ? t("limits.none") : number(limits.effective[name]);
  return (
    <form
      className={styles["stack"]}
      onSubmit={(event) => {
        event.preventDefault();
        deed.mutate(wanted);
      }}
    >
      {deed.error && <ErrorNote error={deed.error} />}
      {GROUPS.map((group) => (
        <Card key={group} title={t(`limits.groups.${group}`)}>
          <div className={styles["two"]}>
            {names
              .filter((name) => name.startsWith(group))
              .map((name) => (
                <TextField
                  key={name}
                  label={t(`limits.of.${who(name)}`)}
                  hint={t("limits.holds", { value: effective(name) })}
                  type="number"
                  min={0}
                  max={1_000_000}
                  step={1}
                  placeholder={t("limits.inherited")}
                  value={texts[name] ?? ""}
                  onChange={({ target }) => setTexts({ ...texts, [name]: target.value })}
                />
              ))}
          </div>
        </Card>
      ))}
      <div className={styles["row"]}>
        <Button type="submit" look="primary" busy={deed.isPending} disabled={!isChanged}>
          {t("common:save")}
        </Button>
        <span className={styles["small"]}>{t("limits.hint")}</span>
      </div>
    </form>
  );
}

function who(name: Name): "managers" | "key" | "tenant" | "one" {
  return (["managers", "key", "tenant"] as const).find((each) => name.endsWith(each)) ?? "one";
}
