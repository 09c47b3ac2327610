import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Note } from "@/components/Notes";
import { Page } from "@/components/Page";
import { useSession } from "@/lib/session";

import type { Budget } from "./api";
import { BudgetDialog } from "./BudgetDialog";
import { BudgetTable } from "./BudgetTable";
import { Spent } from "./Spent";

export function BudgetsPage() {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const [editing, setEditing] = useState<Budget | "new" | null>(null);
  return (
    <Page
      title={t("budgets.title")}
      lead={t("budgets.lead")}
      actions={
        can("budgets:manage") && (
          <Button look="primary" icon={<Plus />} onClick={() => setEditing("new")}>
            {t("budgets.set")}
          </Button>
        )
      }
    >
      <Note>
        <p>{t("budgets.whatHappens")}</p>
      </Note>
      <BudgetTable onEdit={setEditing} />
      <Spent />
      {editing !== null && (
        <BudgetDialog budget={editing === "new" ? null : editing} onClose={() => setEditing(null)} />
      )}
    </Page>
  );
}
