import { useTranslation } from "react-i18next";

import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { useSpent } from "./api";

export function Spent() {
  const { t } = useTranslation("admin");
  const { number, money, milliseconds } = useFormats();
  return (
    <Card title={t("budgets.thisMonth")}>
      <Listing
        query={useSpent()}
        rowsOf={(answer) => answer.lines}
        rowKey={(line) => line.key ?? ""}
        caption={t("budgets.thisMonth")}
        empty={<p className={styles["soft"]}>{t("budgets.nothingSpent")}</p>}
        columns={[
          { key: "model", title: t("budgets.model"), cell: (line) => <bdi>{line.key ?? "–"}</bdi> },
          { key: "calls", title: t("budgets.calls"), numeric: true, cell: (line) => number(line.calls) },
          {
            key: "tokens",
            title: t("budgets.tokens"),
            numeric: true,
            minor: true,
            cell: (line) => number(line.input_tokens + line.output_tokens),
          },
          {
            key: "latency",
            title: t("budgets.latency"),
            numeric: true,
            minor: true,
            cell: (line) => milliseconds(line.average_latency_ms),
          },
          { key: "cost", title: t("budgets.cost"), numeric: true, cell: (line) => money(line.cost_usd) },
        ]}
      />
    </Card>
  );
}
