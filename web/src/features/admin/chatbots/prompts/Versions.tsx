import { GitCompareArrows, PencilLine } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Table } from "@/components/Table";
import { useFormats } from "@/lib/format";

import styles from "../../admin.module.css";
import { useDeed } from "../../parts/useDeed";
import { answerByPrompt, CHATBOTS, promptsOf, type Template } from "../api";

interface Props {
  chatbotId: string;
  versions: readonly Template[];
  onEdit: (version: Template) => void;
  onCompare: (version: Template) => void;
}

export function Versions({ chatbotId, versions, onEdit, onCompare }: Props) {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const use = useDeed(answerByPrompt, {
    refresh: [promptsOf(chatbotId), CHATBOTS],
    done: t("prompts.nowUsed"),
  });
  const nameOf = ({ version }: Template) =>
    version === 0 ? t("prompts.builtIn") : t("prompts.version", { version });
  return (
    <Card title={t("prompts.versions")}>
      {use.error && <ErrorNote error={use.error} />}
      <Table
        caption={t("prompts.versions")}
        rows={versions}
        rowKey={(each) => String(each.version)}
        columns={[
          {
            key: "version",
            title: t("prompts.one"),
            cell: (each) => (
              <span className={styles["name"]}>
                <span className={styles["row"]}>
                  {nameOf(each)} {each.is_used && <Badge tone="good">{t("prompts.used")}</Badge>}
                </span>
                <small dir="auto">{each.note}</small>
              </span>
            ),
          },
          {
            key: "by",
            title: t("prompts.written"),
            minor: true,
            cell: (each) =>
              each.created_at && (
                <span className={styles["name"]}>
                  {formats.dateTime(each.created_at)}
                  <small dir="auto">{each.created_by}</small>
                </span>
              ),
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (each) => (
              <div className={styles["end"]}>
                <IconButton
                  size="small"
                  label={t("prompts.beginFrom", { name: nameOf(each) })}
                  icon={<PencilLine />}
                  onClick={() => onEdit(each)}
                />
                {!each.is_used && (
                  <>
                    <IconButton
                      size="small"
                      label={t("prompts.compareWith", { name: nameOf(each) })}
                      icon={<GitCompareArrows />}
                      onClick={() => onCompare(each)}
                    />
                    <Button
                      size="small"
                      aria-label={t("prompts.useOne", { name: nameOf(each) })}
                      onClick={() => use.mutate({ id: chatbotId, version: each.version })}
                    >
                      {t("prompts.use")}
                    </Button>
                  </>
                )}
              </div>
            ),
          },
        ]}
      />
    </Card>
  );
}
