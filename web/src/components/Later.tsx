import { use, type ComponentType } from "react";

import type { Part } from "@/lib/part";

/**
 * A component that is loaded when it is first shown, below a `Suspense`. Where it is loaded already it is drawn at once:
 * `lazy` would show the fallback first, and React shows nothing else for 300 ms after that.
 */
export function later<P extends object>(part: Part<ComponentType<P>>): ComponentType<P> {
  return function Later(props: P) {
    const Shown = part.loaded() ?? use(part.load());
    return <Shown {...props} />;
  };
}
