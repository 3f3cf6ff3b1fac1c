// What a page loads of the core: bundled and minified by Rolldown, compressed by gzip at level 9, in bytes.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'rolldown';

export const BUDGET = 41_000;

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url));

/** The bundle of these exports (`*` for all): its code, minified, and its size gzipped. */
export async function bundle(wanted) {
  const { output } = await build({
    input: 'entry',
    platform: 'browser',
    write: false,
    output: { minify: true },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? '\0entry' : undefined),
        load: (id) =>
          id === '\0entry' ? `export ${wanted === '*' ? '*' : `{ ${wanted} }`} from '${index}'` : undefined,
      },
    ],
  });
  // Not what is loaded only when it is asked for.
  const names = new Set([output[0].fileName]);
  for (const name of names)
    for (const other of output.find((one) => one.fileName === name).imports) names.add(other);
  const code = output.flatMap((one) => (names.has(one.fileName) ? [one.code] : [])).join('');
  return { code, bytes: gzipSync(code, { level: 9 }).length };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const names of ['inspect', 'swap', 'inspect, swap, retarget', '*']) {
    const { bytes } = await bundle(names);
    console.log(`${names.padEnd(24)} ${bytes.toLocaleString('en')} B of ${BUDGET.toLocaleString('en')}`);
  }
  if ((await bundle('*')).bytes > BUDGET) process.exitCode = 1;
}
