import { fileURLToPath } from "node:url";

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT = fileURLToPath(new URL("../src/dragoman/web", import.meta.url));

/** Writes each text file compressed beside itself, so that the server only chooses. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  closeBundle: () => {
    for (const entry of readdirSync(OUT, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && /\.(js|css|html|svg)$/.test(entry.name)) {
        const path = join(entry.parentPath, entry.name);
        const content = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(content));
      }
    }
  },
};

/** The application, built into the Python package; the API serves it under `/`. */
export default defineConfig({
  plugins: [react(), compressed],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own origin: the Content-Security-Policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    manifest: "manifest.json",
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/healthz", "/docs", "/openapi.json", "/v1", "/widget.js"].map((path) => [
        path,
        { target: process.env["DRAGOMAN_URL"] ?? "http://127.0.0.1:8000", changeOrigin: false },
      ]),
    ),
  },
});
