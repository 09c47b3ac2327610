/**
 * The first script that runs, before React is there: it asks for all that the page at this address will need at once, so
 * that nothing of it is asked for only after something else has come.
 */

import "./app/theme.css";

import { namespaceOf, loadPage } from "./app/pages";
import { startSession } from "./lib/api/early";
import { preferredLanguage } from "./lib/languages";
import { loadTexts } from "./lib/texts";

const { pathname } = window.location;
const namespace = namespaceOf(pathname);
// What fails here fails again where it is used, and is told there.
const ignore = () => undefined;

if (namespace !== "sign-in") {
  startSession().catch(ignore);
}
void import("./main");
for (const each of ["common", namespace]) {
  loadTexts(preferredLanguage(), each).catch(ignore);
}
loadPage(pathname).catch(ignore);
