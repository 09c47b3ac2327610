import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useToasts } from "@/components/Toasts";

import styles from "./account.module.css";
import { changePassword, SIGN_INS } from "./api";

const EMPTY = { current: "", wanted: "", again: "" };

export function Password() {
  const { t } = useTranslation("account");
  const tell = useToasts();
  const cache = useQueryClient();
  const [texts, setTexts] = useState(EMPTY);
  const [differs, setDiffers] = useState(false);
  const change = useMutation({
    mutationFn: changePassword,
    onSuccess: async () => {
      setTexts(EMPTY);
      tell.done(t("password.changed"));
      await cache.invalidateQueries({ queryKey: SIGN_INS });
    },
  });
  return (
    <Card title={t("password.title")}>
      <form
        className={styles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          setDiffers(texts.wanted !== texts.again);
          if (texts.wanted === texts.again) {
            change.mutate({ current_password: texts.current, new_password: texts.wanted });
          }
        }}
      >
        {change.error && <ErrorNote error={change.error} />}
        {(["current", "wanted", "again"] as const).map((name) => (
          <TextField
            key={name}
            label={t(`password.${name}`)}
            hint={name === "wanted" ? t("password.hint") : undefined}
            error={name === "again" && differs ? t("password.differs") : null}
            type="password"
            autoComplete={name === "current" ? "current-password" : "new-password"}
            minLength={name === "current" ? undefined : 8}
            maxLength={256}
            required
            value={texts[name]}
            onChange={({ target }) => setTexts({ ...texts, [name]: target.value })}
          />
        ))}
        <div>
          <Button type="submit" busy={change.isPending}>
            {t("password.submit")}
          </Button>
        </div>
      </form>
    </Card>
  );
}
