import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote, Note } from "@/components/Notes";
import { api, data } from "@/lib/api";

import styles from "./sign-in.module.css";

export function ForgottenPassword({ onBack }: { onBack: () => void }) {
  const { t } = useTranslation("sign-in");
  const [email, setEmail] = useState("");
  const reset = useMutation({
    mutationFn: () => data(api.POST("/api/auth/password-reset/", { body: { email: email.trim() } })),
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    reset.mutate();
  };
  return (
    <form className={styles["form"]} onSubmit={submit}>
      {reset.error && <ErrorNote error={reset.error} />}
      {reset.isSuccess ? (
        <Note tone="good">
          <p role="status">{t("forgotten.sent")}</p>
        </Note>
      ) : (
        <>
          <TextField
            label={t("email")}
            hint={t("forgotten.hint")}
            type="email"
            autoComplete="username"
            required
            autoFocus
            dir="ltr"
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
          <Button type="submit" look="primary" busy={reset.isPending}>
            {t("forgotten.send")}
          </Button>
        </>
      )}
      <Button look="quiet" onClick={onBack}>
        {t("forgotten.back")}
      </Button>
    </form>
  );
}
