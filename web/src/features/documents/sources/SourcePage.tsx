import { useQuery } from "@tanstack/react-query";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link, useParams, useSearchParams } from "react-router";

import { ErrorNote, Note, Badge } from "@/components/Notes";
import { Card, Page } from "@/components/Page";
import { Select } from "@/components/Field";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";

import { Fact } from "../document/Overview";
import shared from "../documents.module.css";
import type { Connector } from "../types";
import { connectorQuery, syncsQuery } from "./api";
import { intervalName } from "./intervals";
import { SourceDeeds } from "./SourceDeeds";
import { SyncReport } from "./SyncReport";

export function SourcePage() {
  const { t } = useTranslation("documents");
  const { id = "" } = useParams();
  const { data, error, refetch } = useQuery(connectorQuery(id));
  const back = (
    <Link to="/documents/sources" className={shared["back"]}>
      <ArrowLeft aria-hidden />
      {t("parts.sources")}
    </Link>
  );
  return data === undefined ? (
    <Page title={t("sources.one")}>
      {back}
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Spinner />}
    </Page>
  ) : (
    <Page title={data.name} lead={<bdi>{data.origin}</bdi>} actions={<SourceDeeds connector={data} />}>
      {back}
      {data.is_paused && (
        <Note tone="warn">
          <p>{t("sources.pausedHint")}</p>
        </Note>
      )}
      <Card title={t("facts.title")}>
        <Facts connector={data} />
      </Card>
      <Card title={t("sync.report")}>
        <Syncs connector={data} />
      </Card>
    </Page>
  );
}

function Facts({ connector }: { connector: Connector }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <dl className={shared["facts"]}>
      <Fact name={t("sources.kind")}>
        {t(`sources.kindName.${connector.kind}`, { defaultValue: connector.kind })}
      </Fact>
      <Fact name={t("sources.interval")}>
        {intervalName(t, connector.interval_s)}
        {connector.is_watched && ` · ${t("sources.watched")}`}
      </Fact>
      <Fact name={t("sources.nextSync")}>
        {connector.next_sync_at && !connector.is_paused ? formats.relative(connector.next_sync_at) : "–"}
      </Fact>
      <Fact name={t("sources.onVanished")}>{t(`sources.vanished.${connector.on_vanished}`)}</Fact>
      <Fact name={t("visibility.label")}>{t(`visibility.${connector.visibility}`)}</Fact>
      {connector.category && (
        <Fact name={t("label.category")}>
          <bdi>{connector.category}</bdi>
        </Fact>
      )}
      {connector.tags.length > 0 && (
        <Fact name={t("label.tags")}>
          <span className={shared["tags"]}>
            {connector.tags.map((tag) => (
              <Badge key={tag}>
                <bdi>{tag}</bdi>
              </Badge>
            ))}
          </span>
        </Fact>
      )}
      <Fact name={t("title")}>
        <Link to={`/documents?connector_id=${connector.id}`}>{t("sources.itsDocuments")}</Link>
      </Fact>
    </dl>
  );
}

function Syncs({ connector }: { connector: Connector }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const [query, setQuery] = useSearchParams();
  const { data, error, refetch } = useQuery(syncsQuery(connector.id));
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner />;
  }
  const newest = connector.last_sync;
  const syncs =
    newest === null || data.syncs.some(({ id }) => id === newest.id) ? data.syncs : [newest, ...data.syncs];
  const chosen = syncs.find(({ id }) => id === query.get("sync")) ?? syncs[0];
  if (chosen === undefined) {
    return <p>{t("sync.none")}</p>;
  }
  return (
    <div className={shared["stack"]}>
      <Select
        label={t("sync.which")}
        value={chosen.id}
        onChange={({ target }) => setQuery({ sync: target.value }, { replace: true })}
        options={syncs.map((sync) => ({
          value: sync.id,
          label: `${formats.dateTime(sync.created_at)} · ${t(`sync.state.${sync.state}`)} · ${t(`sync.trigger.${sync.trigger}`)}`,
        }))}
      />
      <SyncReport key={chosen.id} connectorId={connector.id} syncId={chosen.id} />
    </div>
  );
}
