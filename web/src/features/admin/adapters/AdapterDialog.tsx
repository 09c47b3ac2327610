import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { Dialog } from "@/components/Dialog";
import { Note } from "@/components/Notes";
import { Hint } from "@/components/schema-form/Hint";
import { fieldsOf } from "@/components/schema-form/schema";
import { SchemaForm } from "@/components/schema-form/SchemaForm";
import { filled, firstFault, type Values } from "@/components/schema-form/values";

import styles from "../admin.module.css";
import { Copyable } from "../parts/SecretDialog";
import type { Adapter, Port } from "./api";
import { environmentLines } from "./environment";

/** The form of an adapter's settings, made from its schema, and the lines of the environment that come of it. */
export function AdapterDialog({
  port,
  adapter,
  onClose,
}: {
  port: Port;
  adapter: Adapter;
  onClose: () => void;
}) {
  const { t } = useTranslation("admin");
  const fields = useMemo(() => fieldsOf(adapter.settings_schema), [adapter]);
  const [values, setValues] = useState<Values>(() => filled(fields, {}));
  const lines = environmentLines(port.name, adapter, fields, values);
  const hasVariables = adapter.settings.some((each) => each.variable !== null) || lines.length > 0;
  return (
    <Dialog title={`${port.name}: ${adapter.name}`} look="side" onClose={onClose}>
      <div className={styles["stack"]}>
        <p>
          <Hint text={adapter.description} />
        </p>
        {!adapter.is_installed && adapter.extras.length > 0 && (
          <div className={styles["form"]}>
            <Note tone="warn">
              <p>{t("adapters.install")}</p>
            </Note>
            {adapter.extras.map((extra) => (
              <Copyable key={extra} text={`pip install 'dragoman[${extra}]'`} />
            ))}
          </div>
        )}
        {fields.length === 0 ? (
          <p className={styles["soft"]}>{t("adapters.noSettings")}</p>
        ) : (
          <SchemaForm
            fields={fields}
            values={values}
            onChange={(name, value) => setValues((all) => ({ ...all, [name]: value }))}
          />
        )}
        {hasVariables ? (
          <section className={styles["form"]} aria-label={t("adapters.lines")}>
            <h3>{t("adapters.lines")}</h3>
            <p className={styles["small"]}>{t("adapters.linesHint")}</p>
            {firstFault(fields, values) ? (
              <p className={styles["soft"]}>{t("adapters.unfinished")}</p>
            ) : lines.length > 0 ? (
              <Copyable text={lines.join("\n")} />
            ) : (
              <p className={styles["soft"]}>{t("adapters.noLines")}</p>
            )}
          </section>
        ) : (
          <Note>
            <p>{t("adapters.perConnector")}</p>
          </Note>
        )}
      </div>
    </Dialog>
  );
}
