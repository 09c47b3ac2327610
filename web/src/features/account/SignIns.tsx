import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { Table } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import styles from "./account.module.css";
import { endSignIn, SIGN_INS, useSignIns } from "./api";
import { deviceOf } from "./device";

/** The devices on which one is signed in. */
export function SignIns() {
  const { t } = useTranslation("account");
  const { relative } = useFormats();
  const tell = useToasts();
  const cache = useQueryClient();
  const { data, error, refetch } = useSignIns();
  const end = useMutation({
    mutationFn: endSignIn,
    onSuccess: async () => {
      tell.done(t("signIns.ended"));
      await cache.invalidateQueries({ queryKey: SIGN_INS });
    },
  });
  return (
    <Card title={t("signIns.title")}>
      <p className={styles["soft"]}>{t("signIns.hint")}</p>
      {(error ?? end.error) && <ErrorNote error={error ?? end.error} onRetry={() => void refetch()} />}
      {data ? (
        <Table
          caption={t("signIns.title")}
          rows={data.sign_ins}
          rowKey={(each) => each.id}
          columns={[
            {
              key: "device",
              title: t("signIns.device"),
              cell: (each) => (
                <span className={styles["name"]} title={each.user_agent}>
                  <bdi>{deviceOf(each.user_agent) || t("signIns.unknown")}</bdi>
                  <small dir="ltr">{each.address}</small>
                </span>
              ),
            },
            { key: "used", title: t("signIns.used"), cell: (each) => relative(each.last_used_at) },
            {
              key: "since",
              title: t("signIns.since"),
              minor: true,
              cell: (each) => relative(each.created_at),
            },
            {
              key: "end",
              title: t("signIns.deed"),
              cell: (each) => (
                <div className={styles["end"]}>
                  {each.is_current ? (
                    <Badge tone="accent">{t("signIns.current")}</Badge>
                  ) : (
                    <Button
                      size="small"
                      aria-label={t("signIns.endOf", { device: deviceOf(each.user_agent) || each.address })}
                      onClick={() => end.mutate(each.id)}
                    >
                      {t("signIns.end")}
                    </Button>
                  )}
                </div>
              ),
            },
          ]}
        />
      ) : (
        !error && <Spinner label={t("common:loading")} />
      )}
    </Card>
  );
}
