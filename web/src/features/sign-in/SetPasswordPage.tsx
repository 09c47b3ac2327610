import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useTitle } from "@/components/Page";
import { api, data } from "@/lib/api";

import { Entrance } from "./Entrance";
import styles from "./sign-in.module.css";

/** Where the links of invitations, of resets and of the first start lead to. To open it uses nothing up. */
export default function SetPasswordPage() {
  const { t } = useTranslation("sign-in");
  useTitle(t("set.title"));
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [query] = useSearchParams();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [differs, setDiffers] = useState(false);
  const set = useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/auth/set-password/", {
          body: {
            token: query.get("token") ?? "",
            password,
            display_name: name.trim() || null,
            cookie: true,
          },
        }),
      ),
    onSuccess: async () => {
      cache.clear();
      await navigate("/", { replace: true });
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setDiffers(password !== again);
    if (password === again) {
      set.mutate();
    }
  };
  return (
    <Entrance title={t("set.title")}>
      <p className={styles["soft"]}>{t("set.lead")}</p>
      <form className={styles["form"]} onSubmit={submit}>
        {set.error && <ErrorNote error={set.error} />}
        <TextField
          label={t("set.name")}
          hint={t("set.nameHint")}
          autoComplete="name"
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <TextField
          label={t("set.password")}
          hint={t("set.passwordHint")}
          type="password"
          autoComplete="new-password"
          minLength={8}
          maxLength={256}
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <TextField
          label={t("set.again")}
          type="password"
          autoComplete="new-password"
          required
          error={differs ? t("set.differs") : null}
          value={again}
          onChange={(event) => setAgain(event.target.value)}
        />
        <Button type="submit" look="primary" busy={set.isPending}>
          {t("set.submit")}
        </Button>
      </form>
      {set.error && <Link to="/sign-in">{t("set.toSignIn")}</Link>}
    </Entrance>
  );
}
