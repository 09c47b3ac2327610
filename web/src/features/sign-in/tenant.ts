const KEY = "dragoman.sign-in.tenant";

/** The tenant of the page's address, else the one that was signed in to from this browser with a provider before. */
export function wantedTenant(fromAddress: string | null): string | null {
  if (fromAddress) {
    return fromAddress;
  }
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing asks anew each time
  }
}

/** Null forgets it. */
export function rememberTenant(tenant: string | null): void {
  try {
    if (tenant === null) {
      localStorage.removeItem(KEY);
    } else {
      localStorage.setItem(KEY, tenant);
    }
  } catch {
    // a browser that keeps nothing asks anew each time
  }
}
