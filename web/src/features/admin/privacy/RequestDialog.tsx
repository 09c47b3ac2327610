import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Check, Select, TextField } from "@/components/Field";
import { FormDialog } from "@/components/FormDialog";
import { Note } from "@/components/Notes";
import { useSession } from "@/lib/session";

import { useDeed } from "../parts/useDeed";
import { useUsers } from "../users/api";
import { makeRequest, REQUESTS } from "./api";

const WHO = ["user", "external", "visitor"] as const;
type Who = (typeof WHO)[number];

export function RequestDialog({ kind, onClose }: { kind: "export" | "erase"; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const { data: users } = useUsers(0, 200, can("users:manage"));
  const [who, setWho] = useState<Who>("user");
  const [subject, setSubject] = useState("");
  const [isSure, setSure] = useState(false);
  const deed = useDeed(makeRequest, { refresh: [REQUESTS], done: t("privacy.begun") });
  const listed = who === "user" && users !== undefined;
  return (
    <FormDialog
      title={t(`privacy.${kind}`)}
      submit={t(`privacy.${kind}Deed`)}
      busy={deed.isPending}
      error={deed.error}
      onSubmit={() =>
        deed.mutate({ kind, subject_kind: who, subject_id: subject.trim() }, { onSuccess: onClose })
      }
      onClose={onClose}
    >
      <Note tone={kind === "erase" ? "warn" : "accent"}>
        <p>{t(`privacy.${kind}Hint`)}</p>
      </Note>
      <Select
        label={t("privacy.who")}
        value={who}
        onChange={({ target }) => {
          setWho(WHO.find((each) => each === target.value) ?? "user");
          setSubject("");
        }}
        options={WHO.map((each) => ({ value: each, label: t(`privacy.kinds.${each}`) }))}
      />
      {listed ? (
        <Select
          label={t("privacy.user")}
          required
          value={subject}
          onChange={(event) => setSubject(event.target.value)}
          options={[
            { value: "", label: t("privacy.choose") },
            ...users.users.map((user) => ({ value: user.id, label: user.email })),
          ]}
        />
      ) : (
        <TextField
          label={t("privacy.id")}
          hint={t(`privacy.ids.${who}`)}
          required
          maxLength={200}
          dir="ltr"
          value={subject}
          onChange={(event) => setSubject(event.target.value)}
        />
      )}
      {kind === "erase" && (
        <Check
          label={t("privacy.sure")}
          required
          checked={isSure}
          onChange={(event) => setSure(event.target.checked)}
        />
      )}
    </FormDialog>
  );
}
