import { Download, Eraser } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Page } from "@/components/Page";

import { RequestDialog } from "./RequestDialog";
import { RequestTable } from "./RequestTable";

export function PrivacyPage() {
  const { t } = useTranslation("admin");
  const [making, setMaking] = useState<"export" | "erase" | null>(null);
  return (
    <Page
      title={t("privacy.title")}
      lead={t("privacy.lead")}
      actions={
        <>
          <Button icon={<Download />} onClick={() => setMaking("export")}>
            {t("privacy.export")}
          </Button>
          <Button look="danger" icon={<Eraser />} onClick={() => setMaking("erase")}>
            {t("privacy.erase")}
          </Button>
        </>
      }
    >
      <RequestTable />
      {making && <RequestDialog kind={making} onClose={() => setMaking(null)} />}
    </Page>
  );
}
