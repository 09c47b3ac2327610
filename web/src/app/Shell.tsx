import { Suspense, useState } from "react";
import { Navigate, Route, Routes } from "react-router";
import { useTranslation } from "react-i18next";

import { later } from "@/components/Later";
import { Spinner } from "@/components/Spinner";
import { useSession } from "@/lib/session";

import { AREAS, type Area } from "./areas";
import { Navigation } from "./Navigation";
import { NotFound } from "./NotFound";
import { FIRST_START } from "./pages";
import { Problems } from "./Problems";
import styles from "./Shell.module.css";

const FirstStartGate = later(FIRST_START);

/** The frame around all pages: where one can go at the start of the line, the page beside it. */
export function Shell() {
  const { t } = useTranslation();
  const { can } = useSession();
  const [open, setOpen] = useState(false);
  const areas = AREAS.filter((area) => area.needs.some(can));
  return (
    <div className={styles["shell"]}>
      <a className={styles["skip"]} href="#main">
        {t("skipToContent")}
      </a>
      <Navigation areas={areas} open={open} onOpen={setOpen} />
      <main id="main" className={styles["main"]} tabIndex={-1}>
        <Problems>
          <Suspense fallback={<Loading />}>
            <Routes>
              {areas.map((area) => (
                <Route key={area.path} path={`${area.path}/*`} element={<area.Page />} />
              ))}
              <Route
                path="/"
                element={
                  <FirstStartGate>
                    <Navigate to={home(areas)} replace />
                  </FirstStartGate>
                }
              />
              <Route path="*" element={<NotFound />} />
            </Routes>
          </Suspense>
        </Problems>
      </main>
    </div>
  );
}

function home(areas: readonly Area[]): string {
  return areas[0]?.path ?? "/account";
}

function Loading() {
  const { t } = useTranslation();
  return (
    <div className={styles["loading"]}>
      <Spinner label={t("loading")} />
    </div>
  );
}
