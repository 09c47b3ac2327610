import { LogIn } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { ErrorNote, Note } from "@/components/Notes";

import { useOffered } from "./api";
import { safeTarget } from "./target";
import styles from "./sign-in.module.css";

/** As the API names them: tests/unit/test_interface_names.py holds them complete. */
const REFUSALS = [
  "not_begun",
  "declined",
  "untrusted",
  "unconfirmed_address",
  "no_user",
  "deactivated",
  "not_set_up",
  "unreachable",
] as const;

/** A button for each identity provider, below the form. */
export function Providers() {
  const { t } = useTranslation("sign-in");
  const [query] = useSearchParams();
  const offered = useOffered(query.get("tenant"));
  const target = encodeURIComponent(safeTarget(query.get("next")));
  if (offered.error) {
    return <ErrorNote error={offered.error} onRetry={() => void offered.refetch()} />;
  }
  if (!offered.data?.length) {
    return null;
  }
  return (
    <div className={styles["providers"]}>
      <span className={styles["or"]}>{t("signOn.or")}</span>
      {offered.data.map(({ name, start_url }) => (
        <a key={start_url} className={styles["provider"]} href={`${start_url}?return_to=${target}`}>
          <LogIn aria-hidden="true" />
          <bdi>{name}</bdi>
        </a>
      ))}
    </div>
  );
}

/** Why signing in with a provider did not succeed, and what to do: the API leads back here with the reason. */
export function Refused() {
  const { t } = useTranslation("sign-in");
  const [query] = useSearchParams();
  const why = query.get("refused");
  if (why === null) {
    return null;
  }
  const known = REFUSALS.find((each) => each === why) ?? "untrusted";
  return (
    <Note tone="bad">
      <p role="alert">{t(`signOn.refused.${known}`)}</p>
    </Note>
  );
}
