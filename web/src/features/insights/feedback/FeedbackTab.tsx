import { Download, MessageSquareHeart } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "@/lib/address";

import { Empty, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { Pages } from "@/components/Table";

import { feedbackQuery, PAGE, useFeedback, type Wanted } from "../api/feedback";
import styles from "../insights.module.css";
import type { View } from "../view";
import { Filters } from "./Filters";
import { Item } from "./Item";
import { Sums } from "./Sums";

const KEYS = ["rating", "reason", "correction", "text", "by"] as const;

/** What askers think of the answers, and what becomes of their corrections. */
export function FeedbackTab({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const [params, setParams] = useSearchParams();
  const text = (key: string) => params.get(key) ?? "";
  const wanted: Wanted = {
    rating: text("rating"),
    reason: text("reason"),
    correction: text("correction"),
    text: text("text"),
    by: text("by"),
    offset: Math.max(0, Number(params.get("offset")) || 0),
  };
  const change = (changes: Partial<Record<keyof Wanted, string>>) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [key, value] of Object.entries({ offset: "", ...changes })) {
          if (value === "") {
            next.delete(key);
          } else {
            next.set(key, value);
          }
        }
        return next;
      },
      { replace: true },
    );
  const { data: listed, error, refetch } = useFeedback(view, wanted);
  const isFiltered = KEYS.some((key) => wanted[key] !== "");
  return (
    <div className={styles["stack"]}>
      <Sums view={view} />
      <Card
        title={t("feedback.title")}
        actions={(["csv", "jsonl"] as const).map((format) => (
          <a key={format} className={styles["download"]} href={exportUrl(view, wanted, format)} download>
            <Download aria-hidden="true" />
            {t(`feedback.${format}`)}
          </a>
        ))}
      >
        <Filters wanted={wanted} onChange={change} />
        {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
        {!listed && !error && <Spinner label={t("loading")} />}
        {listed?.feedback.length === 0 && (
          <Empty
            icon={<MessageSquareHeart />}
            title={t(isFiltered ? "feedback.noneFiltered" : "feedback.none")}
          >
            {t(isFiltered ? "feedback.loosen" : "feedback.noneLead")}
          </Empty>
        )}
        <ul className={styles["items"]}>
          {listed?.feedback.map((item) => (
            <Item key={item.id} item={item} />
          ))}
        </ul>
        {listed && (
          <Pages
            total={listed.total}
            limit={PAGE}
            offset={wanted.offset}
            onOffset={(offset) => change({ offset: offset === 0 ? "" : String(offset) })}
          />
        )}
      </Card>
    </div>
  );
}

function exportUrl(view: View, wanted: Wanted, format: string): string {
  const query = new URLSearchParams({ format });
  for (const [key, value] of Object.entries(feedbackQuery(view, wanted))) {
    if (value !== null) {
      query.set(key, String(value));
    }
  }
  return `/api/chatbot/feedback/export/?${query}`;
}
