import { useTranslation } from "react-i18next";

import { classes } from "@/components/classes";
import { useFormats } from "@/lib/format";

import { STATES, type DocumentState } from "../types";
import styles from "./list.module.css";

interface Props {
  counts: Readonly<Record<string, number>>;
  total: number;
  state: DocumentState | null;
  onState: (state: DocumentState | null) => void;
}

/** How many documents are in which state; pressed, the list shows those. */
export function StateCounts({ counts, total, state, onState }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const shown = STATES.filter((each) => (counts[each] ?? 0) > 0 || each === state || each === "ready");
  return (
    <div className={styles["counts"]} role="group" aria-label={t("filter.byState")}>
      <Count
        name={t("filter.all")}
        count={formats.number(total)}
        on={state === null}
        onPress={() => onState(null)}
      />
      {shown.map((each) => (
        <Count
          key={each}
          name={t(`state.${each}`)}
          count={formats.number(counts[each] ?? 0)}
          tone={each}
          on={state === each}
          onPress={() => onState(state === each ? null : each)}
        />
      ))}
    </div>
  );
}

function Count({
  name,
  count,
  tone,
  on,
  onPress,
}: {
  name: string;
  count: string;
  tone?: DocumentState;
  on: boolean;
  onPress: () => void;
}) {
  return (
    <button
      type="button"
      aria-pressed={on}
      className={classes(styles["count"], tone && styles[tone])}
      onClick={onPress}
    >
      <strong>{count}</strong>
      <span>{name}</span>
    </button>
  );
}
