import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge, ErrorNote } from "@/components/Notes";
import { Card, Page } from "@/components/Page";
import { Hint } from "@/components/schema-form/Hint";
import { named } from "@/components/schema-form/schema";
import { Spinner } from "@/components/Spinner";

import styles from "../admin.module.css";
import { AdapterDialog } from "./AdapterDialog";
import { useAdapters, type Adapter, type Port } from "./api";

/** What this installation is made of. Its settings live in the environment: here their lines are written. */
export function AdaptersPage() {
  const { t } = useTranslation("admin");
  const { data, error, refetch } = useAdapters();
  const [open, setOpen] = useState<{ port: Port; adapter: Adapter } | null>(null);
  return (
    <Page title={t("adapters.title")} lead={t("adapters.lead")}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Spinner label={t("common:loading")} />}
      {data?.map((port) => (
        <Card key={port.name} title={t(`adapters.ports.${port.name}`, { defaultValue: named(port.name) })}>
          <p className={styles["small"]}>
            <Hint text={port.description} /> <Hint text={port.chosen} />
          </p>
          <ul className={styles["form"]}>
            {port.adapters.map((adapter) => (
              <li key={adapter.name} className={styles["form"]}>
                <AdapterRow adapter={adapter} onOpen={() => setOpen({ port, adapter })} />
              </li>
            ))}
          </ul>
        </Card>
      ))}
      {open && <AdapterDialog {...open} onClose={() => setOpen(null)} />}
    </Page>
  );
}

function AdapterRow({ adapter, onOpen }: { adapter: Adapter; onOpen: () => void }) {
  const { t } = useTranslation("admin");
  return (
    <div>
      <div className={styles["row"]}>
        <button type="button" className={styles["plain"]} onClick={onOpen}>
          <code dir="ltr">{adapter.name}</code>
        </button>
        {adapter.is_used && <Badge tone="good">{t("adapters.used")}</Badge>}
        {!adapter.is_installed && (
          <Badge tone="warn">{t("adapters.missing", { extras: adapter.extras.join(", ") })}</Badge>
        )}
      </div>
      <p className={styles["small"]}>
        <Hint text={adapter.description} />
      </p>
    </div>
  );
}
