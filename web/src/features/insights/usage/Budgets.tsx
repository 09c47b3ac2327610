import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";
import { useChatbot, useSession } from "@/lib/session";

import { useBudgets, type Budget } from "../api/usage";
import styles from "../insights.module.css";

/** How much of each budget is spent. They are set in the administration. */
export function Budgets({ refresh }: { refresh: number | false }) {
  const { t } = useTranslation("insights");
  const { can } = useSession();
  const { data: listed, error, refetch } = useBudgets(refresh);
  return (
    <Card
      title={t("budgets.title")}
      actions={can("budgets:manage") && <Link to="/admin/budgets">{t("budgets.set")}</Link>}
    >
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {listed?.budgets.length === 0 && <p className={styles["nothing"]}>{t("budgets.none")}</p>}
      <ul className={styles["budgets"]}>
        {listed?.budgets.map((budget) => (
          <Meter
            key={`${budget.scope} ${budget.subject} ${budget.period} ${budget.id ?? ""}`}
            budget={budget}
          />
        ))}
      </ul>
    </Card>
  );
}

const TONES = { ok: "good", warning: "warn", exhausted: "bad" } as const;

function Meter({ budget }: { budget: Budget }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { chatbots } = useChatbot();
  const chatbot = chatbots.find((each) => each.id === budget.subject)?.name;
  const subject = chatbot ?? budget.subject;
  const name = `${t(`budgets.${budget.scope}`)}${subject === "" ? "" : ` · ${subject}`} · ${t(`budgets.${budget.period}`)}`;
  return (
    <li className={styles["budget"]}>
      <div className={styles["chips"]}>
        <strong dir="auto">{name}</strong>
        {budget.state && <Badge tone={TONES[budget.state]}>{t(`budgets.${budget.state}`)}</Badge>}
        {budget.id === null && <Badge>{t("budgets.operator")}</Badge>}
      </div>
      {budget.spent_usd === null ? (
        <span>{t("budgets.each", { limit: formats.money(budget.limit_usd) })}</span>
      ) : (
        <>
          <meter
            aria-label={name}
            className={styles["meter"]}
            data-state={budget.state ?? "ok"}
            min={0}
            max={Math.max(budget.limit_usd, 1e-9)}
            value={Math.min(budget.spent_usd, budget.limit_usd)}
          />
          <span>
            {t("budgets.spent", {
              spent: formats.money(budget.spent_usd),
              limit: formats.money(budget.limit_usd),
            })}
            <small className={styles["soft"]}>
              {" "}
              {t("budgets.until", {
                day: formats.date(budget.ends_on, { dateStyle: "medium", timeZone: "UTC" }),
              })}
            </small>
          </span>
        </>
      )}
    </li>
  );
}
