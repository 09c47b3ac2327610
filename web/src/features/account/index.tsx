import { Route, Routes } from "react-router";

import { AccountPage } from "./AccountPage";
import { FirstStartPage } from "./first-start/FirstStartPage";

export default function Account() {
  return (
    <Routes>
      <Route path="/" element={<AccountPage />} />
      <Route path="set-up" element={<FirstStartPage />} />
    </Routes>
  );
}
