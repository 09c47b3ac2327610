import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

import { compressed } from "./compressed";

const OUT = fileURLToPath(new URL("../src/dragoman/web", import.meta.url));

/** Names in the page the scripts of the application, which `start.ts` imports, so that they come along with it. */
const preloaded: Plugin = {
  name: "preloaded",
  apply: "build",
  transformIndexHtml: {
    order: "post",
    handler: (_html, { bundle = {} }) => {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const files = new Set<string>();
      const add = (name: string) => {
        if (!files.has(name)) {
          files.add(name);
          chunks.find((chunk) => chunk.fileName === name)?.imports.forEach(add);
        }
      };
      chunks
        .filter((chunk) => chunk.facadeModuleId?.endsWith("/src/main.tsx"))
        .forEach((chunk) => add(chunk.fileName));
      chunks
        .filter((chunk) => chunk.isEntry)
        .forEach((chunk) => [chunk.fileName, ...chunk.imports].forEach((name) => files.delete(name)));
      return [...files].map((name) => ({
        tag: "link",
        attrs: { rel: "modulepreload", crossorigin: true, href: `/${name}` },
        injectTo: "head" as const,
      }));
    },
  },
};

// What `start.ts` needs: it runs while all else is on its way.
const START =
  /\/src\/(start|app\/pages|lib\/(part|texts|languages|api\/early)|features\/\w+\/loads)\.ts$|preload-helper|rolldown\/runtime/;
// What all pages share, in one file: thirty small ones take longer than their bytes.
const SHARED =
  /\/src\/(components\/(?!Markdown\.)|lib\/)|\/node_modules\/(react|react-dom|scheduler|react-router|react-i18next|i18next|@tanstack|lucide-react|openapi-fetch)\//;

/** The application, built into the Python package; the API serves it under `/`. */
export default defineConfig({
  plugins: [react(), preloaded, compressed(OUT)],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own origin: the Content-Security-Policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    // All styles of all pages are 13 KiB on the wire: one file, which the first page has to wait for anyway.
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "start", test: START, priority: 2 },
            { name: "shared", test: SHARED, priority: 1 },
            { name: "admin-parts", test: /\/src\/features\/admin\/(?!index)/, minShareCount: 2 },
          ],
        },
      },
    },
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/healthz", "/docs", "/openapi.json", "/v1", "/widget.js", "/widget-preview"].map((path) => [
        path,
        { target: process.env["DRAGOMAN_URL"] ?? "http://127.0.0.1:8000", changeOrigin: false },
      ]),
    ),
  },
});
