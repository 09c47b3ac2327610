import styles from "../insights.module.css";
import type { View } from "../view";
import { Alerts } from "./Alerts";
import { Database } from "./Database";
import { Machine } from "./Machine";
import { Rules } from "./Rules";
import { SearchNow } from "./SearchNow";

/** What goes on now: alerts, processes, database and searches. */
export function SystemTab({ view }: { view: View }) {
  return (
    <div className={styles["stack"]}>
      <Alerts refresh={view.refresh} />
      <Machine refresh={view.refresh} />
      <Database refresh={view.refresh} />
      <SearchNow refresh={view.refresh} />
      <Rules />
    </div>
  );
}
