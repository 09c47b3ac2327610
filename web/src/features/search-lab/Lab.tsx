import { SearchX } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import type { Chatbot } from "@/lib/session";

import { useAddress } from "./address";
import { answerSettingsOf, useSearch, type Said, type Tried } from "./api";
import { Asking } from "./Asking";
import { Controls } from "./Controls";
import { Findings } from "./Findings";
import { OtherQuery } from "./OtherQuery";
import styles from "./search-lab.module.css";

export function Lab({ chatbot }: { chatbot: Chatbot }) {
  const { t } = useTranslation("search-lab");
  const { address, change } = useAddress();
  const settings = answerSettingsOf(chatbot);
  const [history, setHistory] = useState<readonly Said[]>([]);
  const [threshold, setThreshold] = useState(address.threshold);
  const mode = address.mode ?? settings.search_mode;
  const { query, filter } = address;
  const reranker = address.reranker ?? settings.reranker;
  const tried = useMemo<Tried | null>(
    () => (query.trim() === "" ? null : { chatbotId: chatbot.id, query, filter, history, reranker: null }),
    [chatbot.id, query, filter, history],
  );
  // Only the way of searching that is looked at is ranked again by another one: a language model has its price.
  const ranked = tried && { ...tried, reranker: address.reranker };
  const hybrid = useSearch(mode === "hybrid" ? ranked : tried, "hybrid");
  const dense = useSearch(mode === "dense" ? ranked : tried, "dense");
  const keyword = useSearch(mode === "keyword" ? ranked : tried, "keyword");
  const searches = { hybrid, dense, keyword };
  const failed = [hybrid, dense, keyword].find((search) => search.error !== null);
  const isSearching = [hybrid, dense, keyword].some((search) => search.isFetching);
  const cut = { threshold: threshold ?? settings.similarity_threshold, max: address.max };
  return (
    <>
      <Asking
        key={`${query}\n${filter}`}
        address={address}
        history={history}
        busy={isSearching}
        filterError={failed?.error}
        onAsk={(asked, said) => {
          setHistory(said);
          change(asked);
          void Promise.all(
            [hybrid, dense, keyword].filter((each) => each.isError).map((each) => each.refetch()),
          );
        }}
      />
      <Controls
        chatbot={chatbot}
        settings={settings}
        mode={mode}
        reranker={reranker}
        cut={cut}
        hits={searches[mode].data?.results ?? []}
        onMode={(chosen) => change({ mode: chosen })}
        onReranker={(name) => change({ reranker: name === settings.reranker ? "" : name })}
        onThreshold={setThreshold}
        onThresholdSet={() => change({ threshold: threshold === null ? "" : String(threshold) })}
        onMax={(max) => change({ max: String(max) })}
      />
      {failed !== undefined ? (
        <ErrorNote error={failed.error} onRetry={() => void failed.refetch()} />
      ) : tried === null ? (
        <Empty icon={<SearchX />} title={t("empty.title")}>
          {t("empty.detail")}
        </Empty>
      ) : hybrid.data && dense.data && keyword.data ? (
        <div className={styles["findings"]} aria-busy={isSearching}>
          <Findings
            hybrid={hybrid.data}
            dense={dense.data}
            keyword={keyword.data}
            mode={mode}
            cut={cut}
            reranker={reranker}
          />
          <OtherQuery
            tried={{ ...tried, reranker: address.reranker }}
            reranker={reranker}
            other={address.other}
            otherReranker={address.otherReranker}
            mode={mode}
            cut={cut}
            found={searches[mode].data}
            onOther={change}
          />
        </div>
      ) : (
        <Spinner label={t("searching")} />
      )}
    </>
  );
}
