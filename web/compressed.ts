import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** Writes each text file below `folder` whose name fits compressed beside itself, so that the server only chooses. */
export function compressed(folder: string, names = /\.(js|css|html|svg)$/): Plugin {
  return {
    name: "compressed",
    apply: "build",
    closeBundle: () => {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (entry.isFile() && names.test(entry.name)) {
          const path = join(entry.parentPath, entry.name);
          const content = readFileSync(path);
          writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
          writeFileSync(`${path}.br`, brotliCompressSync(content));
        }
      }
    },
  };
}
