/** Where a sign-in leads to: a path of this application, never another site that somebody wrote into the address. */
export function safeTarget(wanted: string | null): string {
  if (wanted === null || !wanted.startsWith("/")) {
    return "/";
  }
  const here = window.location.origin;
  const target = new URL(wanted, here);
  return target.origin === here && !target.pathname.startsWith("/sign-in")
    ? target.pathname + target.search
    : "/";
}
