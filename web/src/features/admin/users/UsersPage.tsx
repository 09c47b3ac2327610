import { UserPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Page } from "@/components/Page";

import { Invitations } from "./Invitations";
import { InviteDialog } from "./InviteDialog";
import { UserTable } from "./UserTable";

export function UsersPage() {
  const { t } = useTranslation("admin");
  const [inviting, setInviting] = useState(false);
  return (
    <Page
      title={t("users.title")}
      lead={t("users.lead")}
      actions={
        <Button look="primary" icon={<UserPlus />} onClick={() => setInviting(true)}>
          {t("users.invite")}
        </Button>
      }
    >
      <UserTable />
      <Invitations />
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  );
}
