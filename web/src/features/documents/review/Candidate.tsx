import { useQuery } from "@tanstack/react-query";
import { Check, X } from "lucide-react";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { Badge, ErrorNote } from "@/components/Notes";
import { Said } from "@/components/Said";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import { deeds, qualityQuery, useDeed, versionsQuery } from "../api";
import { reportOf } from "../document/report";
import { useActorName } from "../people";
import { RejectDialog } from "../RejectDialog";
import type { Document } from "../types";
import { typeOf } from "../words";
import { CandidateText } from "./CandidateText";
import styles from "./review.module.css";

interface Props {
  document: Document;
  onMove: (by: number) => void;
  onDecided: () => void;
}

/** One document to decide on. Letters decide while the focus is within: A approves, R rejects, J and K go on and back. */
export function Candidate({ document, onMove, onDecided }: Props) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const place = useRef<HTMLElement>(null);
  const [rejecting, setRejecting] = useState(false);
  const approve = useDeed(deeds.approve);
  const reject = useDeed((reason: string) => deeds.reject(document.id, reason));
  const busy = approve.isPending || reject.isPending;
  useEffect(() => {
    place.current?.focus({ preventScroll: true });
  }, [document.id]);
  const decideYes = () =>
    approve.mutate(document.id, {
      onSuccess: () => {
        tell.done(t("approved"));
        onDecided();
      },
      onError: tell.failed,
    });
  const press = (event: KeyboardEvent) => {
    const isWriting =
      event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    if (isWriting || event.ctrlKey || event.metaKey || event.altKey || busy) {
      return;
    }
    const deed = { a: decideYes, r: () => setRejecting(true), j: () => onMove(1), k: () => onMove(-1) }[
      event.key.toLowerCase()
    ];
    if (deed) {
      event.preventDefault();
      deed();
    }
  };
  return (
    <section
      ref={place}
      className={styles["candidate"]}
      tabIndex={-1}
      aria-label={document.title}
      onKeyDown={press}
    >
      <header className={styles["head"]}>
        <div>
          <h2 dir="auto">{document.title}</h2>
          <Facts document={document} />
        </div>
        <div className={styles["deeds"]}>
          <Button
            icon={<X aria-hidden />}
            disabled={busy}
            onClick={() => setRejecting(true)}
            aria-keyshortcuts="R"
          >
            {t("deed.reject")} <kbd aria-hidden="true">R</kbd>
          </Button>
          <Button
            look="primary"
            icon={<Check aria-hidden />}
            busy={approve.isPending}
            onClick={decideYes}
            aria-keyshortcuts="A"
          >
            {t("deed.approve")} <kbd aria-hidden="true">A</kbd>
          </Button>
        </div>
      </header>
      <p className={styles["soft"]}>{t("review.keys")}</p>
      <Warnings id={document.id} />
      <CandidateText key={document.id} document={document} />
      {rejecting && (
        <RejectDialog
          count={1}
          busy={reject.isPending}
          onClose={() => setRejecting(false)}
          onReject={(reason) =>
            reject.mutate(reason, {
              onSuccess: () => {
                setRejecting(false);
                tell.done(t("rejected"));
                onDecided();
              },
              onError: tell.failed,
            })
          }
        />
      )}
    </section>
  );
}

function Facts({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const nameOf = useActorName();
  const { data } = useQuery(versionsQuery(document.id));
  const newest = data?.versions[0];
  return (
    <p className={styles["facts"]}>
      <bdi>{document.file_name}</bdi>
      <Badge>{typeOf(document.file_name, document.file_type)}</Badge>
      <span>{formats.bytes(document.size_bytes)}</span>
      {document.languages.length > 0 && (
        <span>{formats.list(document.languages.map(formats.languageName))}</span>
      )}
      {document.version > 1 && (
        <Badge tone="accent">{t("versionNumber", { number: document.version })}</Badge>
      )}
      {newest && <bdi>{t("review.by", { name: nameOf(newest.uploaded_by) })}</bdi>}
      <Link to={`/documents/${document.id}`}>{t("review.toPage")}</Link>
    </p>
  );
}

/** What the quality report says against it, for this is what one decides by. */
function Warnings({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const { data, error } = useQuery(qualityQuery(id));
  if (error) {
    return <ErrorNote error={error} />;
  }
  const findings = reportOf(data?.report ?? {}).findings;
  return (
    <div className={styles["warnings"]}>
      {data?.score != null && (
        <Badge tone={data.score >= 0.8 ? "good" : data.score >= 0.5 ? "warn" : "bad"}>
          {t("review.score", { share: formats.percent(data.score) })}
        </Badge>
      )}
      {findings.length > 0 && (
        <ul>
          {findings.map((finding, at) => (
            <li key={at}>
              <strong>{t(`quality.severity.${finding.severity}`)}</strong> <Said text={finding.message} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
