/** Finds what an import means, for eslint-plugin-boundaries: relative paths, and `@/` for `src/`. */

import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve as absolute } from "node:path";

const SOURCE = join(import.meta.dirname, "src");
const ENDINGS = ["", ".ts", ".tsx", ".d.ts", "/index.ts", "/index.tsx"];

export const interfaceVersion = 2;

export function resolve(wanted, from) {
  if (!wanted.startsWith("@/") && !wanted.startsWith(".")) {
    return { found: false }; // a package
  }
  const path = wanted.startsWith("@/") ? join(SOURCE, wanted.slice(2)) : absolute(dirname(from), wanted);
  const found = ENDINGS.map((ending) => path + ending).find(
    (each) => existsSync(each) && statSync(each).isFile(),
  );
  return found === undefined ? { found: false } : { found: true, path: found };
}
