import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Empty } from "@/components/Notes";
import { useTitle } from "@/components/Page";

export function NotFound() {
  const { t } = useTranslation();
  useTitle(t("notFound.title"));
  return (
    <Empty title={t("notFound.title")} action={<Link to="/">{t("notFound.home")}</Link>}>
      {t("notFound.detail")}
    </Empty>
  );
}
