import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Check, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { useDeed } from "../parts/useDeed";
import { useGuard } from "../parts/useGuard";
import { RETENTION, setRetention, useRetention } from "./api";

const USUAL_DAYS = 730;

export function Retention() {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const { data, error } = useRetention();
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (data === undefined) {
    return null;
  }
  return (
    <Card title={t("audit.keep")}>
      {can("tenant:manage") ? (
        <Form key={String(data.keep_days)} keepDays={data.keep_days} />
      ) : (
        <p>{data.keep_days === null ? t("audit.forEver") : t("audit.keptDays", { count: data.keep_days })}</p>
      )}
    </Card>
  );
}

function Form({ keepDays }: { keepDays: number | null }) {
  const { t } = useTranslation("admin");
  const [isForEver, setForEver] = useState(keepDays === null);
  const [days, setDays] = useState(String(keepDays ?? USUAL_DAYS));
  const deed = useDeed(setRetention, { refresh: [RETENTION], done: t("saved") });
  const wanted = isForEver ? null : Number(days);
  useGuard(wanted !== keepDays, "/admin/audit");
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        deed.mutate(wanted);
      }}
    >
      {deed.error && <ErrorNote error={deed.error} />}
      <Check
        label={t("audit.forEver")}
        checked={isForEver}
        onChange={(event) => setForEver(event.target.checked)}
      />
      {!isForEver && (
        <TextField
          label={t("audit.days")}
          hint={t("audit.daysHint")}
          type="number"
          min={90}
          max={36500}
          required
          value={days}
          onChange={(event) => setDays(event.target.value)}
        />
      )}
      <div>
        <Button type="submit" busy={deed.isPending} disabled={wanted === keepDays}>
          {t("common:save")}
        </Button>
      </div>
    </form>
  );
}
