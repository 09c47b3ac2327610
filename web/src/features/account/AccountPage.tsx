import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Card, Page } from "@/components/Page";
import { useSession } from "@/lib/session";

import { Appearance } from "./Appearance";
import { Password } from "./Password";
import { Profile } from "./Profile";
import { SignIns } from "./SignIns";

export function AccountPage() {
  const { t } = useTranslation("account");
  const { me } = useSession();
  return (
    <Page title={t("title")} lead={t("lead", { tenant: me.tenant_name })}>
      <Profile />
      <Appearance />
      {me.user_id !== null && <Password />}
      {me.user_id !== null && <SignIns />}
      {me.role === "owner" && (
        <Card title={t("setUp.title")}>
          <p>
            <Link to="/account/set-up">{t("setUp.again")}</Link>
          </p>
        </Card>
      )}
    </Page>
  );
}
