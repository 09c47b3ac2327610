import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app/App";
import { namespaceOf, loadPage } from "./app/pages";
import { startTexts } from "./lib/i18n";
import { showTheme } from "./lib/theme";

showTheme();
const { pathname } = window.location;
// The page is drawn once, when its parts are there: see `components/Later.tsx`.
// A part that cannot be loaded is told by the page.
await Promise.allSettled([startTexts(["common", namespaceOf(pathname)]), loadPage(pathname)]);
const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no #root");
}
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
