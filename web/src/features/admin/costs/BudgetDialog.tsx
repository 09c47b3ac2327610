import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Select, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { useChatbot, useSession } from "@/lib/session";

import styles from "../admin.module.css";
import { useDeed } from "../parts/useDeed";
import { useUsers } from "../users/api";
import { BUDGETS, setBudget, type Budget } from "./api";

const SCOPES = ["tenant", "chatbot", "user"] as const;
const PERIODS = ["day", "month"] as const;

/** A new budget, or another limit for one that is there. */
export function BudgetDialog({ budget, onClose }: { budget: Budget | null; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const [scope, setScope] = useState<Budget["scope"]>(budget?.scope ?? "tenant");
  const [subject, setSubject] = useState(budget?.subject ?? "");
  const [period, setPeriod] = useState<Budget["period"]>(budget?.period ?? "month");
  const [limit, setLimit] = useState(budget ? String(budget.limit_usd) : "");
  const deed = useDeed(setBudget, { refresh: [BUDGETS], done: t("saved") });
  return (
    <FormDialog
      title={t(budget ? "budgets.newLimit" : "budgets.set")}
      submit={t("common:save")}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() => deed.mutate({ scope, subject, period, limit_usd: limit }, { onSuccess: onClose })}
      onClose={onClose}
    >
      {budget === null && (
        <>
          <Select
            label={t("budgets.for")}
            value={scope}
            onChange={({ target }) => {
              setScope(SCOPES.find((each) => each === target.value) ?? "tenant");
              setSubject("");
            }}
            options={SCOPES.map((each) => ({ value: each, label: t(`budgets.scopes.${each}`) }))}
          />
          {scope !== "tenant" && <Subject scope={scope} value={subject} onChange={setSubject} />}
        </>
      )}
      <div className={styles["two"]}>
        {budget === null && (
          <Select
            label={t("budgets.period")}
            value={period}
            onChange={({ target }) => setPeriod(PERIODS.find((each) => each === target.value) ?? "month")}
            options={PERIODS.map((each) => ({ value: each, label: t(`budgets.periods.${each}`) }))}
          />
        )}
        <TextField
          label={t("budgets.limit")}
          hint={t("budgets.limitHint")}
          type="number"
          min={0}
          step="any"
          inputMode="decimal"
          required
          autoFocus
          value={limit}
          onChange={(event) => setLimit(event.target.value)}
        />
      </div>
    </FormDialog>
  );
}

interface SubjectProps {
  scope: "chatbot" | "user";
  value: string;
  onChange: (subject: string) => void;
}

function Subject({ scope, value, onChange }: SubjectProps) {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const { chatbots } = useChatbot();
  const { data: users } = useUsers(0, 200, scope === "user" && can("users:manage"));
  const each =
    scope === "chatbot"
      ? chatbots.map((chatbot) => ({ value: chatbot.id, label: chatbot.name }))
      : (users?.users ?? []).map((user) => ({ value: `user:${user.id}`, label: user.email }));
  return (
    <Select
      label={t(scope === "chatbot" ? "budgets.whichChatbot" : "budgets.whichUser")}
      value={value}
      onChange={({ target }) => onChange(target.value)}
      options={[
        { value: "", label: t(scope === "chatbot" ? "budgets.eachChatbot" : "budgets.eachUser") },
        ...each,
      ]}
    />
  );
}
