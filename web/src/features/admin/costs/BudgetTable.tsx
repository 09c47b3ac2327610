import { Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { IconButton } from "@/components/Button";
import { Badge, Empty, Progress } from "@/components/Notes";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { RemoveDialog } from "../parts/RemoveDialog";
import { useDeed } from "../parts/useDeed";
import { BUDGETS, removeBudget, useBudgets, type Budget } from "./api";
import { useSubjectName } from "./useSubjectName";

export function BudgetTable({ onEdit }: { onEdit: (budget: Budget) => void }) {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const { can } = useSession();
  const nameOf = useSubjectName();
  const [removing, setRemoving] = useState<Budget | null>(null);
  const remove = useDeed(removeBudget, { refresh: [BUDGETS], done: t("budgets.removed") });
  return (
    <>
      <Listing
        query={useBudgets()}
        rowsOf={(answer) => answer.budgets}
        rowKey={(budget) => budget.id ?? `${budget.scope} ${budget.subject} ${budget.period}`}
        caption={t("budgets.title")}
        empty={<Empty title={t("budgets.none")}>{t("budgets.noneHint")}</Empty>}
        columns={[
          {
            key: "for",
            title: t("budgets.for"),
            cell: (budget) => (
              <span className={styles["name"]}>
                <bdi>{nameOf(budget)}</bdi>
                {budget.id === null && <small>{t("budgets.ofOperator")}</small>}
              </span>
            ),
          },
          {
            key: "period",
            title: t("budgets.period"),
            cell: (budget) => t(`budgets.periods.${budget.period}`),
          },
          { key: "spent", title: t("budgets.spent"), cell: (budget) => <Meter budget={budget} /> },
          { key: "state", title: t("state"), cell: (budget) => <State budget={budget} /> },
          {
            key: "until",
            title: t("budgets.until"),
            minor: true,
            cell: (budget) => formats.date(budget.ends_on),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (budget) =>
              budget.id !== null &&
              can("budgets:manage") && (
                <div className={styles["end"]}>
                  <IconButton
                    size="small"
                    label={t("budgets.change", { name: nameOf(budget) })}
                    icon={<Pencil />}
                    onClick={() => onEdit(budget)}
                  />
                  <IconButton
                    size="small"
                    label={t("budgets.remove", { name: nameOf(budget) })}
                    icon={<Trash2 />}
                    onClick={() => setRemoving(budget)}
                  />
                </div>
              ),
          },
        ]}
      />
      {removing?.id && (
        <RemoveDialog
          title={t("budgets.remove", { name: nameOf(removing) })}
          deed={t("budgets.removeDeed")}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate(removing.id ?? "", { onSuccess: () => setRemoving(null) })}
          onClose={() => setRemoving(null)}
        >
          <p>{t("budgets.removeHint")}</p>
        </RemoveDialog>
      )}
    </>
  );
}

function Meter({ budget }: { budget: Budget }) {
  const { t } = useTranslation("admin");
  const { money } = useFormats();
  if (budget.spent_usd === null) {
    return <>{t("budgets.each", { limit: money(budget.limit_usd) })}</>;
  }
  const text = t("budgets.ofLimit", { spent: money(budget.spent_usd), limit: money(budget.limit_usd) });
  return (
    <span className={styles["meter"]}>
      {text}
      <Progress
        label={text}
        value={budget.limit_usd > 0 ? Math.min(1, budget.spent_usd / budget.limit_usd) : 1}
      />
    </span>
  );
}

const TONES = { ok: "good", warning: "warn", exhausted: "bad" } as const;

function State({ budget }: { budget: Budget }) {
  const { t } = useTranslation("admin");
  return budget.state === null ? null : (
    <Badge tone={TONES[budget.state]}>{t(`budgets.states.${budget.state}`)}</Badge>
  );
}
