import { useMutation } from "@tanstack/react-query";
import { ShieldCheck } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { ErrorNote, Note } from "@/components/Notes";
import { Card } from "@/components/Page";

import styles from "../admin.module.css";
import { verifyChain } from "./api";

/** Counts the chain through: every event is there, in its place and unchanged. */
export function Verify() {
  const { t } = useTranslation("admin");
  const verify = useMutation({ mutationFn: verifyChain });
  const found = verify.data;
  return (
    <Card
      title={t("audit.chain")}
      actions={
        <Button icon={<ShieldCheck />} busy={verify.isPending} onClick={() => verify.mutate()}>
          {t("audit.verify")}
        </Button>
      }
    >
      <p className={styles["soft"]}>{t("audit.chainHint")}</p>
      {verify.error && <ErrorNote error={verify.error} />}
      <div role="status" className={styles["form"]}>
        {found && (
          <Note tone={found.is_whole ? "good" : "bad"}>
            <p>
              {found.is_whole
                ? t("audit.whole", { count: found.events })
                : t("audit.broken", { count: found.problem_count })}{" "}
              {found.waiting > 0 && t("audit.waiting", { count: found.waiting })}
            </p>
          </Note>
        )}
        {found && found.problems.length > 0 && (
          <ul className={styles["form"]}>
            {found.problems.map((problem, at) => (
              <li key={at} dir="auto">
                {problem.message}
              </li>
            ))}
          </ul>
        )}
      </div>
    </Card>
  );
}
