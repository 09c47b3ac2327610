import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { Card, Page } from "@/components/Page";
import { useChatbot, useSession } from "@/lib/session";

import styles from "../account.module.css";
import { AnswererStep } from "./AnswererStep";
import { DocumentsStep } from "./DocumentsStep";
import { InviteStep } from "./InviteStep";
import { NameStep } from "./NameStep";
import { rememberSetUp } from "./state";

/** The first steps of an owner. Each holds by itself, and all of them can be left for later. */
export function FirstStartPage() {
  const { t } = useTranslation("account");
  const { me, can } = useSession();
  const { chatbot } = useChatbot();
  const navigate = useNavigate();
  useEffect(() => rememberSetUp(me.tenant_id), [me.tenant_id]);
  return (
    <Page
      title={t("setUp.welcome")}
      lead={t("setUp.lead")}
      actions={
        <Button look="primary" onClick={() => void navigate("/")}>
          {t("setUp.finish")}
        </Button>
      }
    >
      <ol className={styles["steps"]}>
        {chatbot && can("chatbots:manage") && (
          <>
            <Step title={t("setUp.name.title")}>
              <NameStep key={chatbot.id} chatbot={chatbot} />
            </Step>
            <Step title={t("setUp.answerer.title")}>
              <AnswererStep key={chatbot.id} chatbot={chatbot} />
            </Step>
          </>
        )}
        {chatbot && (
          <Step title={t("setUp.documents.title")}>
            <DocumentsStep chatbot={chatbot} />
          </Step>
        )}
        {can("users:manage") && (
          <Step title={t("setUp.invite.title")}>
            <InviteStep />
          </Step>
        )}
      </ol>
      <p className={styles["soft"]}>
        {t("setUp.later")} <Link to="/account">{t("title")}</Link>
      </p>
    </Page>
  );
}

function Step({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <li>
      <Card title={title}>{children}</Card>
    </li>
  );
}
