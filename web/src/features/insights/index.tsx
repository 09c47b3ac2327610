import { lazy, Suspense, type ComponentType } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Route, Routes, useLocation, useNavigate, useParams } from "react-router";

import { Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { Tabs } from "@/components/Tabs";
import { useChatbot, useSession, type Permission } from "@/lib/session";

import { Overview } from "./overview/Overview";
import { Questions } from "./questions/Questions";
import { RangeBar } from "./RangeBar";
import { SystemTab } from "./system/SystemTab";
import { UsageTab } from "./usage/UsageTab";
import { useView, type View } from "./view";

/** Answers are Markdown; what shows it is loaded with them. */
const FeedbackTab = lazy(async () => ({ default: (await import("./feedback/FeedbackTab")).FeedbackTab }));

const TABS: readonly { key: string; needs: Permission; Content: ComponentType<{ view: View }> }[] = [
  { key: "overview", needs: "analytics:read", Content: Overview },
  { key: "questions", needs: "analytics:read", Content: Questions },
  { key: "feedback", needs: "feedback:read", Content: FeedbackTab },
  { key: "usage", needs: "usage:read", Content: UsageTab },
  { key: "system", needs: "metrics:read", Content: SystemTab },
];

export default function Insights() {
  return (
    <Routes>
      <Route index element={<Navigate to="overview" replace />} />
      <Route path=":tab" element={<InsightsPage />} />
      <Route path="*" element={<Navigate to="/insights/overview" replace />} />
    </Routes>
  );
}

function InsightsPage() {
  const { t } = useTranslation("insights");
  const { can } = useSession();
  const { chatbot } = useChatbot();
  const { tab } = useParams();
  const { search } = useLocation();
  const navigate = useNavigate();
  const { view, change } = useView(chatbot?.id ?? "");
  const tabs = TABS.filter((each) => can(each.needs));
  const current = tabs.find((each) => each.key === tab);
  if (current === undefined) {
    return <Navigate to={`/insights/overview${search}`} replace />;
  }
  return (
    <Page title={t("title")} lead={t("lead")}>
      {chatbot === null ? (
        <Spinner label={t("loading")} />
      ) : (
        <>
          <RangeBar
            key={`${view.range.from} ${view.range.to}`}
            view={view}
            onChange={change}
            tab={current.key}
          />
          <Tabs
            label={t("title")}
            tabs={tabs.map((each) => ({ key: each.key, title: t(`tabs.${each.key}`) }))}
            current={current.key}
            onChange={(key) =>
              void navigate({ pathname: `/insights/${key}`, search: window.location.search })
            }
          >
            <Suspense fallback={<Spinner label={t("loading")} />}>
              <current.Content key={chatbot.id} view={view} />
            </Suspense>
          </Tabs>
        </>
      )}
    </Page>
  );
}
