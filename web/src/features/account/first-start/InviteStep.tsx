import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { Select, TextField } from "@/components/Field";
import { ErrorNote, Note } from "@/components/Notes";

import styles from "../account.module.css";
import { invite } from "./api";

const ROLES = ["admin", "editor", "agent", "member"] as const;

export function InviteStep() {
  const { t } = useTranslation("account");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<(typeof ROLES)[number]>("editor");
  const send = useMutation({ mutationFn: invite, onSuccess: () => setEmail("") });
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate({ email: email.trim(), role });
      }}
    >
      {send.error && <ErrorNote error={send.error} />}
      <TextField
        label={t("profile.email")}
        type="email"
        dir="ltr"
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <Select
        label={t("profile.role")}
        value={role}
        onChange={({ target }) => setRole(ROLES.find((each) => each === target.value) ?? "member")}
        options={ROLES.map((each) => ({ value: each, label: t(`roles.${each}`) }))}
      />
      <div>
        <Button type="submit" busy={send.isPending}>
          {t("setUp.invite.submit")}
        </Button>
      </div>
      <div role="status">
        {send.data && (
          <Note tone="good">
            <div className={styles["name"]}>
              <p>{t("setUp.invite.link", { email: send.data.email })}</p>
              <div className={styles["secret"]}>
                <code dir="ltr">{send.data.url}</code>
                <CopyButton text={send.data.url} />
              </div>
            </div>
          </Note>
        )}
      </div>
    </form>
  );
}
