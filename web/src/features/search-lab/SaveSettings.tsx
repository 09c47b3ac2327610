import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Select } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";
import type { Chatbot } from "@/lib/session";

import { useRerankers, useSaveSettings, type AnswerSettings, type Mode } from "./api";
import styles from "./search-lab.module.css";

interface Props {
  chatbot: Chatbot;
  settings: AnswerSettings;
  mode: Mode;
  threshold: number;
}

/** Makes what was tried the chatbot's own settings; says before what that changes. */
export function SaveSettings({ chatbot, settings, mode, threshold }: Props) {
  const { t } = useTranslation("search-lab");
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="small" onClick={() => setOpen(true)}>
        {t("save.open")}
      </Button>
      {open && (
        <SaveDialog
          chatbot={chatbot}
          settings={settings}
          mode={mode}
          threshold={threshold}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

function SaveDialog({ chatbot, settings, mode, threshold, onClose }: Props & { onClose: () => void }) {
  const { t } = useTranslation("search-lab");
  const { t: common } = useTranslation();
  const formats = useFormats();
  const tell = useToasts();
  const save = useSaveSettings(chatbot.id);
  const { data: rerankers = [] } = useRerankers(true);
  const [reranker, setReranker] = useState(settings.reranker);
  const decimal = (value: number) => formats.number(value, { minimumFractionDigits: 2 });
  const changes = [
    {
      key: "similarity_threshold",
      before: decimal(settings.similarity_threshold),
      after: decimal(threshold),
    },
    { key: "search_mode", before: t(`mode.${settings.search_mode}`), after: t(`mode.${mode}`) },
    { key: "reranker", before: settings.reranker, after: reranker },
  ].filter((change) => change.before !== change.after);
  const wanted = { similarity_threshold: threshold, search_mode: mode, reranker };
  const store = () =>
    save.mutate(wanted, {
      onSuccess: () => {
        tell.done(t("save.done", { name: chatbot.name }));
        onClose();
      },
    });
  return (
    <Dialog
      title={t("save.title", { name: chatbot.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button look="primary" busy={save.isPending} disabled={changes.length === 0} onClick={store}>
            {t("save.deed")}
          </Button>
        </>
      }
    >
      {rerankers.length > 0 && (
        <Select
          label={t("save.reranker")}
          hint={t("save.rerankerHint")}
          value={reranker}
          options={[...new Set(["none", settings.reranker, ...rerankers])].map((name) => ({
            value: name,
            label: name === "none" ? t("save.noReranker") : name,
          }))}
          onChange={(event) => setReranker(event.target.value)}
        />
      )}
      {changes.length === 0 ? (
        <p>{t("save.nothing")}</p>
      ) : (
        <>
          <p>{t("save.lead")}</p>
          <ul className={styles["changes"]}>
            {changes.map((change) => (
              <li key={change.key}>
                {t("save.change", {
                  name: t(`save.${change.key}`),
                  before: change.before,
                  after: change.after,
                })}
              </li>
            ))}
          </ul>
        </>
      )}
      {save.error && <ErrorNote error={save.error} />}
    </Dialog>
  );
}
