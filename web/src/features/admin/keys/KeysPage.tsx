import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Page } from "@/components/Page";

import { ServiceAccounts } from "./ServiceAccounts";
import { KeyDialog } from "./KeyDialog";
import { KeyTable } from "./KeyTable";

export function KeysPage() {
  const { t } = useTranslation("admin");
  const [making, setMaking] = useState(false);
  return (
    <Page
      title={t("keys.title")}
      lead={t("keys.lead")}
      actions={
        <Button look="primary" icon={<Plus />} onClick={() => setMaking(true)}>
          {t("keys.make")}
        </Button>
      }
    >
      <KeyTable />
      <ServiceAccounts />
      {making && <KeyDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}
