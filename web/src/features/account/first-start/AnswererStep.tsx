import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { ErrorNote } from "@/components/Notes";
import type { Chatbot } from "@/lib/session";

import styles from "../account.module.css";
import { useModels } from "./api";
import { useStep } from "./useStep";

/** By quotation, which costs nothing, or by a language model that the installation has. */
export function AnswererStep({ chatbot }: { chatbot: Chatbot }) {
  const { t } = useTranslation("account");
  const id = useId();
  const present = String(chatbot.settings["answerer"]);
  const [answerer, setAnswerer] = useState(present);
  const { data: models = [], error } = useModels();
  const step = useStep();
  const ways = [...new Set(["extractive", ...models, present])];
  return (
    <form
      className={styles["form"]}
      onSubmit={(event) => {
        event.preventDefault();
        step.mutate({ settings: { answerer } });
      }}
    >
      {(error ?? step.error) && <ErrorNote error={error ?? step.error} />}
      <fieldset className={styles["ways"]}>
        <legend>{t("setUp.answerer.hint")}</legend>
        {ways.map((way) => (
          <label key={way} className={styles["way"]}>
            <input
              type="radio"
              name={id}
              value={way}
              checked={way === answerer}
              onChange={() => setAnswerer(way)}
            />
            {way === "extractive" ? t("setUp.answerer.extractive") : <code dir="ltr">{way}</code>}
            <small>
              {t(way === "extractive" ? "setUp.answerer.extractiveHint" : "setUp.answerer.modelHint")}
            </small>
          </label>
        ))}
      </fieldset>
      {models.length === 0 && (
        <p className={styles["soft"]}>
          {t("setUp.answerer.noModel")} <Link to="/admin/adapters">{t("setUp.answerer.adapters")}</Link>
        </p>
      )}
      <div>
        <Button type="submit" busy={step.isPending} disabled={step.isPending || answerer === present}>
          {t("common:save")}
        </Button>
      </div>
    </form>
  );
}
