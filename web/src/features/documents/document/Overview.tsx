import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { CopyButton } from "@/components/CopyButton";
import { Badge } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import { versionsQuery } from "../api";
import shared from "../documents.module.css";
import { useActorName } from "../people";
import { isOneOf, CONTENT_TYPES, type Document, type Status } from "../types";
import { typeOf } from "../words";
import { LabelForm } from "./LabelForm";
import { Steps } from "./Steps";

interface Props {
  document: Document;
  status: Status | undefined;
  mayChange: boolean;
}

export function Overview({ document, status, mayChange }: Props) {
  const { t } = useTranslation("documents");
  return (
    <div className={shared["stack"]}>
      <Card title={t("facts.title")}>
        <Facts document={document} />
      </Card>
      <Card title={t("facts.labels")}>
        {mayChange ? <LabelForm key={document.id} document={document} /> : <Labels document={document} />}
      </Card>
      {status && status.state !== "queued" && status.state !== "processing" && (
        <Card title={t("facts.reading")}>
          <Steps steps={status.steps} step={status.step} progress={status.progress} />
          <p className={shared["small"]}>
            {t("facts.attempts", { count: status.attempts })}
            {document.reused_chunks > 0 && ` ${t("facts.reused", { count: document.reused_chunks })}`}
          </p>
        </Card>
      )}
    </div>
  );
}

function Facts({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const nameOf = useActorName();
  const { data } = useQuery(versionsQuery(document.id));
  const newest = data?.versions[0];
  const pii = Object.entries(document.pii).filter(([, count]) => typeof count === "number");
  return (
    <dl className={shared["facts"]}>
      <Fact name={t("facts.file")}>
        <bdi>{document.file_name}</bdi>
      </Fact>
      <Fact name={t("facts.type")}>
        {typeOf(document.file_name, document.file_type)}{" "}
        <span className={shared["small"]}>{document.file_type}</span>
      </Fact>
      <Fact name={t("column.size")}>{formats.bytes(document.size_bytes)}</Fact>
      <Fact name={t("visibility.label")}>{t(`visibility.${document.visibility}`)}</Fact>
      <Fact name={t("kind.label")}>
        {isOneOf(CONTENT_TYPES, document.content_type)
          ? t(`kind.${document.content_type}`)
          : document.content_type}
      </Fact>
      <Fact name={t("column.languages")}>
        {document.languages.length === 0 ? "–" : formats.list(document.languages.map(formats.languageName))}
      </Fact>
      {document.pages !== null && <Fact name={t("facts.pages")}>{formats.number(document.pages)}</Fact>}
      <Fact name={t("facts.chunks")}>{formats.number(document.total_chunks)}</Fact>
      <Fact name={t("facts.tokens")}>{formats.number(document.total_tokens)}</Fact>
      <Fact name={t("facts.version")}>{formats.number(document.version)}</Fact>
      <Fact name={t("column.uploaded")}>
        {formats.dateTime(document.uploaded_at)}
        {newest && (
          <>
            {" · "}
            <bdi>{nameOf(newest.uploaded_by)}</bdi>
          </>
        )}
      </Fact>
      {document.processed_at && (
        <Fact name={t("facts.processed")}>{formats.dateTime(document.processed_at)}</Fact>
      )}
      <Fact name={t("filter.source")}>
        {t(`source.${document.source}`)}
        {document.connector_id && (
          <>
            {" · "}
            <Link to={`/documents/sources/${document.connector_id}`}>{t("facts.toSource")}</Link>
          </>
        )}
      </Fact>
      {document.source_url && (
        <Fact name={t("facts.address")}>
          <bdi>{document.source_url}</bdi> <CopyButton text={document.source_url} />
        </Fact>
      )}
      {document.external_id && (
        <Fact name={t("facts.externalId")}>
          <bdi>{document.external_id}</bdi>
        </Fact>
      )}
      {pii.length > 0 && (
        <Fact name={t("facts.pii")}>
          {pii.map(([kind, count]) => `${kind} ${formats.number(Number(count))}`).join(", ")}
        </Fact>
      )}
    </dl>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Labels({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  return (
    <dl className={shared["facts"]}>
      <Fact name={t("label.category")}>
        <bdi>{document.category || "–"}</bdi>
      </Fact>
      <Fact name={t("label.tags")}>
        <span className={shared["tags"]}>
          {document.tags.length === 0
            ? "–"
            : document.tags.map((tag) => (
                <Badge key={tag}>
                  <bdi>{tag}</bdi>
                </Badge>
              ))}
        </span>
      </Fact>
    </dl>
  );
}
