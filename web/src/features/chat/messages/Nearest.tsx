import { FileText } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { useSession } from "@/lib/session";

import type { Facts } from "../stream/events";
import { useConversation } from "./context";
import styles from "./Messages.module.css";

/** The text names these documents too, for those who only read; here they stand below it as buttons. */
export function withoutNearest(text: string, facts: Facts | null): string {
  const documents = facts?.nearest_documents ?? [];
  const [first = "", ...rest] = text.split(/\n{2,}/);
  const listed = rest.join("\n");
  return documents.length > 0 && documents.every(({ title }) => listed.includes(title)) ? first : text;
}

/** What "I don't know" offers instead: documents that come near. */
export function Nearest({ facts }: { facts: Facts | null }) {
  const { t } = useTranslation("chat");
  const { can } = useSession();
  const { look } = useConversation();
  const documents = facts?.nearest_documents ?? [];
  if (documents.length === 0) {
    return null;
  }
  return (
    <section className={styles["nearest"]}>
      <h3>{t("answer.nearest")}</h3>
      <ul>
        {documents.map(({ doc_id, title }) => (
          <li key={doc_id}>
            {can("documents:read") ? (
              <Button
                size="small"
                icon={<FileText />}
                onClick={() => look({ kind: "document", document: doc_id })}
              >
                <span dir="auto">{title}</span>
              </Button>
            ) : (
              <span dir="auto">{title}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
