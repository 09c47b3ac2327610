import { Navigate, Route, Routes } from "react-router";

import { useSession } from "@/lib/session";

import { DocumentPage } from "./document/DocumentPage";
import { ImportPage } from "./imports/ImportPage";
import { ImportsPage } from "./imports/ImportsPage";
import { DocumentsPage } from "./list/DocumentsPage";
import { LiveProvider } from "./live/LiveProvider";
import { ReviewPage } from "./review/ReviewPage";
import { SourcePage } from "./sources/SourcePage";
import { SourcesPage } from "./sources/SourcesPage";
import { UploadPanel } from "./upload/UploadPanel";
import { UploadProvider } from "./upload/UploadProvider";
import { UploadSurface } from "./upload/UploadSurface";

/** The area "Documents": uploads and what is heard live go on while one moves between its pages. */
export default function Area() {
  const { can } = useSession();
  const manages = can("documents:manage");
  return (
    <LiveProvider>
      <UploadProvider>
        <UploadSurface>
          <Routes>
            <Route index element={<DocumentsPage />} />
            {manages && (
              <>
                <Route path="review" element={<ReviewPage />} />
                <Route path="sources" element={<SourcesPage />} />
                <Route path="sources/:id" element={<SourcePage />} />
                <Route path="imports" element={<ImportsPage />} />
                <Route path="imports/:id" element={<ImportPage />} />
              </>
            )}
            <Route path=":id" element={<DocumentPage />} />
            <Route path="*" element={<Navigate to="/documents" replace />} />
          </Routes>
          <UploadPanel />
        </UploadSurface>
      </UploadProvider>
    </LiveProvider>
  );
}
