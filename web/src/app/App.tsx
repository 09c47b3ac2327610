import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Suspense } from "react";
import { createBrowserRouter, Route, RouterProvider, Routes } from "react-router";

import { later } from "@/components/Later";
import { Spinner } from "@/components/Spinner";
import { ToastProvider } from "@/components/Toasts";
import { ApiError } from "@/lib/api";

import { PAGES } from "./pages";
import { Problems } from "./Problems";
import { SignedIn } from "./SignedIn";

const SignIn = later(PAGES["sign-in"]);
const SetPassword = later(PAGES["set-password"]);

const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      // What the API has refused it refuses again; a connection may come back.
      retry: (failures, error) => !(error instanceof ApiError && error.status < 500) && failures < 2,
    },
  },
});

// A router of this kind can ask before it leaves a page (`useBlocker`); the routes themselves stand where they belong.
const router = createBrowserRouter([{ path: "*", element: <Pages /> }]);

function Pages() {
  return (
    <Problems>
      <Suspense fallback={<Spinner />}>
        <Routes>
          <Route path="/sign-in" element={<SignIn />} />
          <Route path="/set-password" element={<SetPassword />} />
          <Route path="/*" element={<SignedIn />} />
        </Routes>
      </Suspense>
    </Problems>
  );
}

export function App() {
  return (
    <Problems>
      <QueryClientProvider client={cache}>
        <ToastProvider>
          <RouterProvider router={router} />
        </ToastProvider>
      </QueryClientProvider>
    </Problems>
  );
}
