// `npm run gradients -- [folder]`: prints docs/gradients.md, by way of Vite, since not every Node that is supported reads
// TypeScript. The folder has ONNX's backend tests; by default it is Debian's libonnx-testdata.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('gradient-list.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'error',
});
const folder = process.argv[2] ?? '/usr/share/libonnx-testdata/data';
if (!existsSync(folder)) {
  console.error('nothing to count: install Debian’s package libonnx-testdata, or name a folder of models');
  process.exit(2);
}
process.stdout.write(module.gradientPage(module.operatorsIn(folder)));
