import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, NavLink, Route, Routes } from "react-router";

import { Empty } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useSession } from "@/lib/session";

import { useHasAdapters } from "./adapters/api";
import styles from "./admin.module.css";
import { GuardProvider } from "./parts/Guard";
import { SECTIONS } from "./sections";

/** What an owner runs: each part shows to those whose role opens it. */
export default function Admin() {
  const { t } = useTranslation("admin");
  const { can } = useSession();
  const hasAdapters = useHasAdapters();
  const open = SECTIONS.filter(
    (section) => section.needs.some(can) && (section.path !== "adapters" || hasAdapters),
  );
  return (
    <div className={styles["admin"]}>
      <nav className={styles["sections"]} aria-label={t("title")}>
        {open.map((section) => (
          <NavLink key={section.path} to={`/admin/${section.path}`} className={styles["section"] ?? ""}>
            <section.icon aria-hidden="true" />
            {t(`sections.${section.path}`)}
          </NavLink>
        ))}
      </nav>
      <Suspense fallback={<Spinner label={t("common:loading")} />}>
        <GuardProvider>
          <Routes>
            {open.map((section) => (
              <Route key={section.path} path={`${section.path}/*`} element={<section.Page />} />
            ))}
            <Route path="/" element={<Navigate to={open[0] ? `/admin/${open[0].path}` : "/"} replace />} />
            <Route path="*" element={<Empty title={t("common:notFound.title")} />} />
          </Routes>
        </GuardProvider>
      </Suspense>
    </div>
  );
}
