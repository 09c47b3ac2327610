import { useTranslation } from "react-i18next";

import { Card } from "@/components/Page";
import { isRecord, type FormField } from "@/components/schema-form/schema";
import { SchemaForm } from "@/components/schema-form/SchemaForm";

import adminStyles from "../../admin.module.css";
import type { ChatbotOut } from "../api";
import styles from "../chatbots.module.css";
import type { Draft } from "../useDraft";
import { lookOf } from "./look";
import { WidgetKeys } from "./WidgetKeys";
import { WidgetPreview } from "./WidgetPreview";

interface Props {
  chatbot: ChatbotOut;
  fields: readonly FormField[];
  draft: Draft;
}

/** How a chatbot looks on web sites, and the keys that let it onto them. */
export function WidgetTab({ chatbot, fields, draft }: Props) {
  const { t, i18n } = useTranslation("admin");
  const field = fields.find((each) => each.name === "widget");
  const value = draft.values["widget"];
  const labelOf = (name: string) => {
    const key = `widget.names.${name}`;
    return i18n.exists(key, { ns: "admin" }) ? t(key) : undefined;
  };
  return (
    <div className={adminStyles["stack"]}>
      {field && (
        <div className={styles["split"]}>
          <Card title={t("widget.look")}>
            <SchemaForm
              fields={field.fields}
              values={isRecord(value) ? value : {}}
              labelOf={labelOf}
              onChange={(name, inner) =>
                draft.change("widget", { ...(isRecord(value) ? value : {}), [name]: inner })
              }
            />
          </Card>
          <aside className={styles["aside"]} aria-label={t("widget.preview")}>
            <Card title={t("widget.preview")}>
              <WidgetPreview look={lookOf(value)} name={chatbot.name} />
            </Card>
          </aside>
        </div>
      )}
      <WidgetKeys chatbotId={chatbot.id} />
    </div>
  );
}
