import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useTitle } from "@/components/Page";
import { api, ApiError, data } from "@/lib/api";

import { Entrance } from "./Entrance";
import { ForgottenPassword } from "./ForgottenPassword";
import { Providers, Refused } from "./Providers";
import { safeTarget } from "./target";
import styles from "./sign-in.module.css";

type Way = "password" | "key" | "forgotten";

export default function SignInPage() {
  const { t } = useTranslation("sign-in");
  useTitle(t("title"));
  const [way, setWay] = useState<Way>("password");
  return (
    <Entrance title={t(way === "forgotten" ? "forgotten.title" : "title")}>
      {way === "forgotten" ? (
        <ForgottenPassword onBack={() => setWay("password")} />
      ) : (
        <>
          <Refused />
          <Form key={way} way={way} />
          <Providers />
        </>
      )}
      <div className={styles["ways"]}>
        {way === "password" && (
          <Button look="quiet" size="small" onClick={() => setWay("forgotten")}>
            {t("forgotten.open")}
          </Button>
        )}
        {way !== "forgotten" && (
          <Button look="quiet" size="small" onClick={() => setWay(way === "key" ? "password" : "key")}>
            {t(way === "key" ? "withPassword" : "withKey")}
          </Button>
        )}
      </div>
    </Entrance>
  );
}

function Form({ way }: { way: "password" | "key" }) {
  const { t } = useTranslation("sign-in");
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [query] = useSearchParams();
  const signIn = useMutation({
    mutationFn: (proof: { email: string; password: string } | { api_key: string }) =>
      data(
        api.POST("/api/auth/sign-in/", {
          body: { ...proof, tenant_id: "email" in proof ? query.get("tenant") : null, cookie: true },
        }),
      ),
    onSuccess: async () => {
      cache.clear();
      await navigate(safeTarget(query.get("next")), { replace: true });
    },
  });
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => {
      const given = form.get(name);
      return typeof given === "string" ? given : "";
    };
    signIn.mutate(
      way === "key"
        ? { api_key: value("api_key").trim() }
        : { email: value("email").trim(), password: value("password") },
    );
  };
  return (
    <form className={styles["form"]} onSubmit={submit}>
      {signIn.error && <ErrorNote error={signIn.error} />}
      {way === "key" ? (
        <TextField
          label={t("key")}
          hint={t("keyHint")}
          name="api_key"
          type="password"
          autoComplete="off"
          required
          dir="ltr"
        />
      ) : (
        <>
          <TextField
            label={t("email")}
            name="email"
            type="email"
            autoComplete="username"
            required
            dir="ltr"
            autoFocus
          />
          <TextField
            label={t("password")}
            name="password"
            type="password"
            autoComplete="current-password"
            required
          />
        </>
      )}
      <Button type="submit" look="primary" busy={signIn.isPending}>
        {t("signIn")}
      </Button>
      {signIn.error instanceof ApiError && signIn.error.status === 403 && (
        <p className={styles["soft"]}>{t("addressHint")}</p>
      )}
    </form>
  );
}
