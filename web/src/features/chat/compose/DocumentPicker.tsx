import { useQuery } from "@tanstack/react-query";
import { FileText } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Check, TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";

import { documentsQuery } from "../api";
import styles from "./Composer.module.css";

export interface Picked {
  id: string;
  title: string;
}

interface Props {
  chatbotId: string;
  picked: readonly Picked[];
  /** What the button says, where the number of documents is told elsewhere. */
  label?: string | undefined;
  /** Called with what is chosen when the choice is made; until then nothing changes. */
  onPick: (picked: readonly Picked[]) => void;
}

/** Narrows a conversation to chosen documents. */
export function DocumentPicker(props: Props) {
  const { t } = useTranslation("chat");
  const [open, setOpen] = useState(false);
  const { picked, label } = props;
  const number =
    picked.length === 0 ? t("compose.allDocuments") : t("compose.narrowed", { count: picked.length });
  return (
    <>
      <Button
        look="quiet"
        size="small"
        icon={<FileText />}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        {label ?? number}
      </Button>
      {open && <Picker {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function Picker({ chatbotId, picked: before, onPick, onClose }: Props & { onClose: () => void }) {
  const { t } = useTranslation("chat");
  const [picked, setPicked] = useState(before);
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim());
  const { data: found, error, isPending, refetch } = useQuery(documentsQuery(chatbotId, wanted));
  const toggle = (document: Picked, on: boolean) =>
    setPicked(on ? [...picked, document] : picked.filter(({ id }) => id !== document.id));
  const ids = new Set(picked.map(({ id }) => id));
  const done = (chosen: readonly Picked[]) => {
    onPick(chosen);
    onClose();
  };
  const others = found?.documents.filter(({ id }) => !ids.has(id)) ?? [];
  return (
    <Dialog
      title={t("compose.chooseDocuments")}
      onClose={onClose}
      actions={
        <>
          <Button disabled={picked.length + before.length === 0} onClick={() => done([])}>
            {t("compose.askAll")}
          </Button>
          <Button look="primary" onClick={() => done(picked)}>
            {t("compose.chosen")}
          </Button>
        </>
      }
    >
      <div className={styles["picker"]}>
        <p>{t("compose.chooseHint")}</p>
        <TextField
          label={t("compose.searchDocuments")}
          type="search"
          value={search}
          maxLength={200}
          onChange={(event) => setSearch(event.target.value)}
        />
        {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
        {isPending && <Spinner label={t("common:loading")} />}
        <ul className={styles["documents"]}>
          {[...picked, ...others].map(({ id, title }) => (
            <li key={id}>
              <Check
                label={<span dir="auto">{title}</span>}
                checked={ids.has(id)}
                onChange={(event) => toggle({ id, title }, event.target.checked)}
              />
            </li>
          ))}
        </ul>
        {found && picked.length + others.length === 0 && <p>{t("compose.noDocuments")}</p>}
        {found && found.total > found.documents.length && (
          <p>{t("compose.moreDocuments", { count: found.total - found.documents.length })}</p>
        )}
      </div>
    </Dialog>
  );
}
