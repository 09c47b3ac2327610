import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { ErrorNote, Note } from "@/components/Notes";
import { Card, Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";

import styles from "../admin.module.css";
import { RemoveDialog } from "../parts/RemoveDialog";
import { Copyable } from "../parts/SecretDialog";
import { useDeed } from "../parts/useDeed";
import { removeSignOn, SIGN_ON, useSignOn } from "./api";
import { SignOnForm } from "./SignOnForm";

export function SignOnPage() {
  const { t } = useTranslation("admin");
  const { data, error, refetch } = useSignOn();
  const [removing, setRemoving] = useState(false);
  const remove = useDeed(removeSignOn, { refresh: [SIGN_ON], done: t("signOn.removed") });
  const callback = `${window.location.origin}/api/auth/single-sign-on/callback/`;
  return (
    <Page
      title={t("signOn.title")}
      lead={t("signOn.lead")}
      actions={
        data && (
          <Button look="danger" onClick={() => setRemoving(true)}>
            {t("signOn.remove")}
          </Button>
        )
      }
    >
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {data === undefined && !error && <Spinner label={t("common:loading")} />}
      {data !== undefined && (
        <>
          {data === null && (
            <Note>
              <p>{t("signOn.none")}</p>
            </Note>
          )}
          <Card title={t("signOn.atProvider")}>
            <p className={styles["soft"]}>{t("signOn.redirectHint")}</p>
            <Copyable text={data?.redirect_url ?? callback} label={t("signOn.copyRedirect")} />
            {data && (
              <>
                <p className={styles["soft"]}>{t("signOn.startHint")}</p>
                <Copyable text={data.start_url} label={t("signOn.copyStart")} />
              </>
            )}
          </Card>
          <SignOnForm key={data?.updated_at ?? ""} present={data} />
        </>
      )}
      {removing && (
        <RemoveDialog
          title={t("signOn.remove")}
          deed={t("signOn.removeDeed")}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate(undefined, { onSuccess: () => setRemoving(false) })}
          onClose={() => setRemoving(false)}
        >
          <p>{t("signOn.removeHint")}</p>
        </RemoveDialog>
      )}
    </Page>
  );
}
