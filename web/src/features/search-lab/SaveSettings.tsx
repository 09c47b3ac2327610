import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";
import type { Chatbot } from "@/lib/session";

import { useSaveSettings, type AnswerSettings, type Mode } from "./api";
import { useRerankerName } from "./Rerankers";
import styles from "./search-lab.module.css";

interface Props {
  chatbot: Chatbot;
  settings: AnswerSettings;
  mode: Mode;
  reranker: string;
  threshold: number;
}

/** Makes what was tried the chatbot's own settings; says before what that changes. */
export function SaveSettings({ chatbot, settings, mode, reranker, threshold }: Props) {
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
          reranker={reranker}
          threshold={threshold}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

function SaveDialog({
  chatbot,
  settings,
  mode,
  reranker,
  threshold,
  onClose,
}: Props & { onClose: () => void }) {
  const { t } = useTranslation("search-lab");
  const { t: common } = useTranslation();
  const formats = useFormats();
  const tell = useToasts();
  const save = useSaveSettings(chatbot.id);
  const nameOf = useRerankerName();
  const decimal = (value: number) => formats.number(value, { minimumFractionDigits: 2 });
  const changes = [
    {
      key: "similarity_threshold",
      before: decimal(settings.similarity_threshold),
      after: decimal(threshold),
    },
    { key: "search_mode", before: t(`mode.${settings.search_mode}`), after: t(`mode.${mode}`) },
    { key: "reranker", before: nameOf(settings.reranker), after: nameOf(reranker) },
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
