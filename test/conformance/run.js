// `npm run conformance`: main.ts, by way of Vite, since not every Node that is supported reads TypeScript.
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

await runnerImport(fileURLToPath(new URL('main.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'error',
});
