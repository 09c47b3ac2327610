import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import type { Chatbot } from "@/lib/session";

import styles from "../account.module.css";
import { useStep } from "./useStep";

export function NameStep({ chatbot }: { chatbot: Chatbot }) {
  const { t } = useTranslation("account");
  const [name, setName] = useState(chatbot.name);
  const step = useStep();
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        step.mutate({ name: name.trim() });
      }}
    >
      {step.error && <ErrorNote error={step.error} />}
      <TextField
        label={t("setUp.name.label")}
        hint={t("setUp.name.hint")}
        required
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <div>
        <Button type="submit" busy={step.isPending} disabled={step.isPending || name.trim() === chatbot.name}>
          {t("common:save")}
        </Button>
      </div>
    </form>
  );
}
