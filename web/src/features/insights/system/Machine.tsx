import { useTranslation } from "react-i18next";

import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import { useSystem } from "../api/system";
import styles from "../insights.module.css";
import { DataCard } from "../parts/DataCard";
import { Figure, Figures } from "../parts/Figure";

const MIB = 1024 * 1024;

/** Processes, waiting jobs, the machine and Valkey. */
export function Machine({ refresh }: { refresh: number | false }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { data: system, error, refetch } = useSystem(refresh);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (system === undefined) {
    return null;
  }
  const { machine, cache } = system;
  return (
    <>
      <Card title={t("machine.title")}>
        <p className={styles["chips"]}>
          <Badge tone={system.has_worker === true ? "good" : "bad"}>
            {t(
              system.has_worker === null
                ? "machine.workerUnknown"
                : system.has_worker
                  ? "machine.worker"
                  : "machine.noWorker",
            )}
          </Badge>
          <Badge tone={system.cache_is_reachable ? "good" : "bad"}>
            {t(system.cache_is_reachable ? "machine.cache" : "machine.noCache")}
          </Badge>
          {system.jobs.map((job) => (
            <Badge key={job.state} tone="accent">
              {t("machine.jobs", { state: job.state, jobs: formats.number(job.jobs) })}
            </Badge>
          ))}
        </p>
        {machine && (
          <Figures>
            <Figure
              name={t("machine.processor")}
              value={formats.percent(machine.cpu_percent / 100)}
              detail={t("machine.load", {
                load: formats.number(machine.load_1min, { maximumFractionDigits: 1 }),
                count: machine.processors,
              })}
            />
            <Figure
              name={t("machine.memory")}
              value={formats.bytes(machine.memory_available_mib * MIB)}
              detail={t("machine.freeOf", { total: formats.bytes(machine.memory_total_mib * MIB) })}
            />
            <Figure
              name={t("machine.disk")}
              value={formats.bytes(machine.disk_free_gib * 1024 * MIB)}
              detail={t("machine.freeOf", { total: formats.bytes(machine.disk_total_gib * 1024 * MIB) })}
            />
            {cache && (
              <Figure
                name="Valkey"
                value={formats.bytes(cache.used_memory_mib * MIB)}
                detail={t("machine.keys", { count: cache.keys })}
              />
            )}
          </Figures>
        )}
      </Card>
      {system.processes && (
        <DataCard
          title={t("processes.title")}
          file="processes"
          rows={system.processes}
          rowKey={(row) => `${row.host} ${row.pid}`}
          columns={[
            { key: "role", title: t("processes.role"), value: (row) => row.role },
            { key: "pid", title: "PID", numeric: true, value: (row) => row.pid },
            { key: "host", title: t("processes.host"), minor: true, value: (row) => row.host },
            {
              key: "cpu",
              title: t("machine.processor"),
              numeric: true,
              value: (row) => row.cpu_percent,
              shown: (row) => formats.percent(row.cpu_percent / 100),
            },
            {
              key: "memory",
              title: t("machine.memory"),
              numeric: true,
              value: (row) => row.memory_mib,
              shown: (row) => formats.bytes(row.memory_mib * MIB),
            },
            {
              key: "started",
              title: t("processes.started"),
              minor: true,
              value: (row) => row.started_at,
              shown: (row) => formats.relative(row.started_at),
            },
          ]}
        />
      )}
    </>
  );
}
