import { useMutation } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { TextArea } from "@/components/Field";
import { MarkdownLater } from "@/components/MarkdownLater";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import adminStyles from "../admin.module.css";
import { tryQuestion, type ChatbotOut } from "./api";
import styles from "./chatbots.module.css";

type Answer = Schemas["AnswerOut"];

/** Asks the chatbot as it is saved now; the answer before stays for comparison. */
export function TryIt({ chatbot, isDirty }: { chatbot: ChatbotOut; isDirty: boolean }) {
  const { t } = useTranslation("admin");
  const [question, setQuestion] = useState("");
  const [answers, setAnswers] = useState<readonly Answer[]>([]);
  const ask = useMutation({
    mutationFn: () => tryQuestion(chatbot.id, question.trim()),
    onSuccess: (answer) => setAnswers((all) => [answer, ...all].slice(0, 2)),
  });
  return (
    <Card title={t("try.title")}>
      <form
        className={adminStyles["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          ask.mutate();
        }}
      >
        <TextArea
          label={t("try.question")}
          hint={t(isDirty ? "try.saveFirst" : "try.hint")}
          rows={2}
          required
          maxLength={8000}
          value={question}
          onChange={(event) => setQuestion(event.target.value)}
        />
        <div>
          <Button type="submit" icon={<Play />} busy={ask.isPending}>
            {t(answers.length > 0 ? "try.again" : "try.ask")}
          </Button>
        </div>
      </form>
      {ask.error && <ErrorNote error={ask.error} />}
      <div className={adminStyles["form"]} aria-live="polite">
        {answers.map((answer, at) => (
          <Shown key={answer.id} answer={answer} title={t(at === 0 ? "try.now" : "try.before")} />
        ))}
      </div>
    </Card>
  );
}

function Shown({ answer, title }: { answer: Answer; title: string }) {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const titles = [...new Set(answer.sources.map((source) => source.title))];
  return (
    <article className={styles["answer"]}>
      <h3>{title}</h3>
      <MarkdownLater>{answer.content}</MarkdownLater>
      {titles.length > 0 && (
        <ul className={styles["sources"]}>
          {titles.map((each) => (
            <li key={each} dir="auto">
              {each}
            </li>
          ))}
        </ul>
      )}
      <div className={styles["facts"]}>
        <span dir="ltr">{answer.model}</span>
        {answer.response_time !== null && <span>{formats.milliseconds(answer.response_time * 1000)}</span>}
        {answer.confidence !== null && (
          <span>{t("try.confidence", { share: formats.percent(answer.confidence) })}</span>
        )}
        <span>{formats.money(answer.usage.cost_usd)}</span>
        {answer.degraded.length > 0 && <Badge tone="warn">{answer.degraded.join(", ")}</Badge>}
      </div>
    </article>
  );
}
