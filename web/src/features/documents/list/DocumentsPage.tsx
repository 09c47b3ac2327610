import { useQuery } from "@tanstack/react-query";
import { FileSearch, FileText, Plus } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "@/lib/address";

import { Button } from "@/components/Button";
import { Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useChatbot } from "@/lib/session";

import { countsQuery, listQuery } from "../api";
import { AreaPage } from "../AreaPage";
import { useUploads } from "../upload/UploadProvider";
import { useUploadDialog } from "../upload/UploadSurface";
import { Pickers } from "../upload/Pickers";
import { DocumentList } from "./DocumentList";
import { FilterBar } from "./FilterBar";
import { filtersOf, isNarrowed, NO_FILTERS, withFilters, type Filters } from "./filters";
import styles from "./list.module.css";
import { StateCounts } from "./StateCounts";

export function DocumentsPage() {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const { mayUpload } = useUploads();
  const upload = useUploadDialog();
  return (
    <AreaPage
      title={t("title")}
      lead={t("lead")}
      actions={
        mayUpload &&
        chatbot !== null && (
          <Button look="primary" icon={<Plus aria-hidden />} onClick={() => upload([])}>
            {t("add")}
          </Button>
        )
      }
    >
      {chatbot === null ? (
        <Empty icon={<FileText />} title={t("empty.noChatbot")} />
      ) : (
        <Listed chatbotId={chatbot.id} key={chatbot.id} />
      )}
    </AreaPage>
  );
}

function Listed({ chatbotId }: { chatbotId: string }) {
  const [query, setQuery] = useSearchParams();
  const { mayUpload } = useUploads();
  const filters = filtersOf(query);
  const list = useQuery(listQuery(chatbotId, filters));
  const counts = useQuery(countsQuery(chatbotId));
  const change = (changes: Partial<Filters>, replace = false) =>
    setQuery((now) => withFilters(now, changes), { replace });
  const found = list.data;
  const isEmpty = found?.total === 0 && !isNarrowed(filters);
  return (
    <>
      {!isEmpty && (
        <>
          {counts.data && (
            <StateCounts
              counts={counts.data.by_state}
              total={counts.data.total}
              state={filters.state}
              onState={(state) => change({ state })}
            />
          )}
          <FilterBar filters={filters} onChange={change} />
        </>
      )}
      {list.error && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {found === undefined && !list.error && <Spinner />}
      {found !== undefined && found.documents.length > 0 && (
        <DocumentList found={found} filters={filters} onChange={change} isOld={list.isPlaceholderData} />
      )}
      {isEmpty && <NothingYet />}
      {found?.documents.length === 0 && !isEmpty && <NothingFound onAll={() => change(NO_FILTERS)} />}
      {found !== undefined && !isEmpty && mayUpload && <Strip />}
    </>
  );
}

function NothingYet() {
  const { t } = useTranslation("documents");
  const { mayUpload } = useUploads();
  const upload = useUploadDialog();
  return (
    <div className={styles["bigZone"]}>
      <Empty
        icon={<FileText />}
        title={t("empty.title")}
        action={
          mayUpload && (
            <div className={styles["row"]}>
              <Pickers onFiles={upload} primary />
            </div>
          )
        }
      >
        {t(mayUpload ? "empty.upload" : "empty.ask")}
      </Empty>
    </div>
  );
}

function NothingFound({ onAll }: { onAll: () => void }) {
  const { t } = useTranslation("documents");
  return (
    <Empty
      icon={<FileSearch />}
      title={t("empty.filtered")}
      action={<Button onClick={onAll}>{t("filter.clear")}</Button>}
    >
      {t("empty.filteredHint")}
    </Empty>
  );
}

function Strip() {
  const { t } = useTranslation("documents");
  const upload = useUploadDialog();
  return (
    <div className={styles["strip"]}>
      <p>{t("upload.zone")}</p>
      <div className={styles["row"]}>
        <Pickers onFiles={upload} />
      </div>
    </div>
  );
}
