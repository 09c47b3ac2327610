import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";

import { useService } from "../api/analytics";
import styles from "../insights.module.css";
import type { View } from "../view";
import { Headline } from "./Headline";
import { Languages, Rungs, TopDocuments } from "./Lists";
import { Reading } from "./Reading";
import { Stages } from "./Stages";
import { Answers, Costs, Latencies, Ratings, Remembered, Tokens } from "./TimeCharts";

/** How well the chatbot serves, at a glance and over time. */
export function Overview({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const { service, error, refetch } = useService(view);
  if (error !== null) {
    return <ErrorNote error={error} onRetry={refetch} />;
  }
  if (service === undefined) {
    return <Spinner label={t("loading")} />;
  }
  const { report, bars } = service;
  return (
    <div className={styles["stack"]}>
      <Headline service={service} />
      <Answers bars={bars} range={view.range} />
      <div className={styles["two"]}>
        <Ratings bars={bars} range={view.range} />
        <Languages report={report} />
      </div>
      <div className={styles["two"]}>
        <Latencies bars={bars} range={view.range} />
        <Stages latencies={report.total.latency_ms} isTwoDays={view.range.span === "24h"} />
      </div>
      <div className={styles["two"]}>
        <Costs bars={bars} range={view.range} />
        <Tokens bars={bars} range={view.range} />
      </div>
      <div className={styles["two"]}>
        <Remembered bars={bars} range={view.range} />
        <Rungs report={report} />
      </div>
      <div className={styles["two"]}>
        <TopDocuments report={report} />
        <Reading report={report} />
      </div>
    </div>
  );
}
