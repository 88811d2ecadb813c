import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Development only: `KEYHOLD_URL=http://localhost:8080 npm run dev` passes API calls to a running server.
const server = process.env['KEYHOLD_URL'] ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // The policy allows no data: scripts, styles or fonts, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
    reportCompressedSize: true,
    manifest: true,
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
