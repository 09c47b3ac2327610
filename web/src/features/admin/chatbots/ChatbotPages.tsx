import { Route, Routes } from "react-router";

import { ChatbotPage } from "./ChatbotPage";
import { ChatbotsPage } from "./ChatbotsPage";

export function ChatbotPages() {
  return (
    <Routes>
      <Route path="/" element={<ChatbotsPage />} />
      <Route path=":id/:tab?" element={<ChatbotPage />} />
    </Routes>
  );
}
