import { Route, Routes } from "react-router";

import { ChatPage } from "./ChatPage";

/** The page for asking: `/chat` for a new conversation, `/chat/<session id>` for one that was begun. */
export default function Area() {
  return (
    <Routes>
      <Route path=":sessionId?" element={<ChatPage />} />
    </Routes>
  );
}
