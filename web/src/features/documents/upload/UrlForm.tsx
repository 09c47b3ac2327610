import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";

import { Button } from "@/components/Button";
import { TextArea } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import { api, data } from "@/lib/api";
import { useChatbot, useSession } from "@/lib/session";

import { tagsOf } from "../words";
import { Labels } from "./Labels";
import type { Options } from "./uploads";
import styles from "./upload.module.css";

const MOST = 500;

interface Props {
  options: Options;
  onOptions: (options: Options) => void;
  mayShare: boolean;
  onClose: () => void;
}

/** A list of addresses that the server fetches. */
export function UrlForm({ options, onOptions, mayShare, onClose }: Props) {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const { can } = useSession();
  const tell = useToasts();
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [text, setText] = useState("");
  const urls = text.split(/\s+/).filter(Boolean);
  const fetchThem = useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/chatbot/documents/urls/", {
          body: {
            urls,
            chatbot_id: chatbot?.id ?? null,
            visibility: options.visibility,
            content_type: options.contentType,
            category: options.category.trim(),
            tags: tagsOf(options.tags),
          },
        }),
      ),
    onSuccess: ({ group_id }) => {
      void cache.invalidateQueries({ queryKey: ["documents"] });
      tell.done(t("upload.fetching", { count: urls.length }));
      onClose();
      if (can("documents:manage")) {
        void navigate(`/documents/imports/${group_id}`);
      }
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    fetchThem.mutate();
  };
  return (
    <form className={styles["form"]} onSubmit={submit}>
      {fetchThem.error && <ErrorNote error={fetchThem.error} />}
      <TextArea
        label={t("upload.urls")}
        hint={t("upload.urlsHint", { count: MOST })}
        error={urls.length > MOST ? t("upload.tooManyUrls", { count: MOST }) : null}
        rows={6}
        dir="ltr"
        required
        spellCheck={false}
        placeholder="https://www.example.com/terms.html"
        value={text}
        onChange={({ target }) => setText(target.value)}
      />
      <Labels options={options} onChange={onOptions} mayShare={mayShare} />
      <div className={styles["end"]}>
        <Button
          type="submit"
          look="primary"
          busy={fetchThem.isPending}
          disabled={urls.length === 0 || urls.length > MOST || fetchThem.isPending}
        >
          {t("upload.fetch", { count: urls.length })}
        </Button>
      </div>
    </form>
  );
}
