import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";

import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { api, ApiError, data } from "@/lib/api";
import { whenSignedOut } from "@/lib/api/client";
import { SessionProvider } from "@/lib/session";

import { Shell } from "./Shell";

/** The pages of those who are signed in; others are led to the sign-in and back. */
export function SignedIn() {
  const location = useLocation();
  const navigate = useNavigate();
  const cache = useQueryClient();
  const here = `${location.pathname}${location.search}`;
  const {
    data: me,
    error,
    refetch,
  } = useQuery({
    queryKey: ["me"],
    queryFn: readMe,
    staleTime: Infinity,
  });
  useEffect(() => {
    whenSignedOut(() => {
      cache.clear();
      void navigate(`/sign-in?next=${encodeURIComponent(window.location.pathname)}`);
    });
  }, [cache, navigate]);
  if (me === null) {
    return <Navigate to={here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`} replace />;
  }
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  return me === undefined ? (
    <Spinner />
  ) : (
    <SessionProvider me={me}>
      <Shell />
    </SessionProvider>
  );
}

/** Who is signed in; null when nobody is. An expired sign-in is renewed first. */
async function readMe() {
  const read = () => data(api.GET("/api/auth/me/"));
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) {
      throw error;
    }
  }
  const renewed = await fetch("/api/auth/refresh/", { method: "POST" });
  return renewed.ok ? await read() : null;
}
