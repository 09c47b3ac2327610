import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The application, built into the Python package; the API serves it under `/`. */
export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../src/dragoman/web",
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
