import { Plus, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Select, TextField } from "@/components/Field";

import type { Said } from "./api";
import styles from "./search-lab.module.css";

/** What was said before the query: follow-ups are understood by it. */
export function Conversation({
  said,
  onSaid,
}: {
  said: readonly Said[];
  onSaid: (said: readonly Said[]) => void;
}) {
  const { t } = useTranslation("search-lab");
  const replace = (at: number, change: Partial<Said>) =>
    onSaid(said.map((each, index) => (index === at ? { ...each, ...change } : each)));
  return (
    <div className={styles["conversation"]}>
      <p>{t("history.lead")}</p>
      {said.map((each, at) => (
        <div key={at} className={styles["said"]}>
          <Select
            label={t("history.role", { number: at + 1 })}
            hideLabel
            value={each.role}
            options={(["user", "assistant"] as const).map((role) => ({
              value: role,
              label: t(`history.${role}`),
            }))}
            onChange={(event) => replace(at, { role: event.target.value === "user" ? "user" : "assistant" })}
          />
          <TextField
            label={t("history.text", { number: at + 1 })}
            hideLabel
            value={each.content}
            onChange={(event) => replace(at, { content: event.target.value })}
          />
          <IconButton
            label={t("history.remove", { number: at + 1 })}
            icon={<Trash2 />}
            onClick={() => onSaid(said.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      <Button
        size="small"
        icon={<Plus />}
        disabled={said.length >= 8}
        onClick={() =>
          onSaid([...said, { role: said.at(-1)?.role === "user" ? "assistant" : "user", content: "" }])
        }
      >
        {t("history.add")}
      </Button>
    </div>
  );
}
