// What a page loads of the core: bundled and minified by Rolldown, compressed by gzip at level 9, in bytes.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'rolldown';

export const BUDGET = 35_000;

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url));

/** What is loaded when a model has nodes that an activation could be written in, as most have. */
const MATCHER = /matcher/;

const built = async (wanted, options = {}) =>
  build({
    input: 'entry',
    platform: 'browser',
    write: false,
    output: { minify: true, ...options },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? '\0entry' : undefined),
        load: (id) =>
          id === '\0entry' ? `export ${wanted === '*' ? '*' : `{ ${wanted} }`} from '${index}'` : undefined,
      },
    ],
  });

/** The code of these exports in one file, with all that is loaded only when it is asked for. */
export async function inOneFile(wanted) {
  const { output } = await built(wanted, { codeSplitting: false });
  return output[0].code;
}

/**
 * The bundle of these exports (`*` for all): its code, minified, its size gzipped, and that with what finds activations that are
 * written out in several nodes.
 */
export async function bundle(wanted) {
  const { output } = await built(wanted);
  const sizeOf = (chunks) => {
    const names = new Set(chunks.map(({ fileName }) => fileName));
    for (const name of names)
      for (const other of output.find((one) => one.fileName === name).imports) names.add(other);
    const code = output.flatMap((one) => (names.has(one.fileName) ? [one.code] : [])).join('');
    return { code, bytes: gzipSync(code, { level: 9 }).length };
  };
  // Not what is loaded only when it is asked for.
  const [entry] = output;
  const matcher = output.filter(({ fileName }) => MATCHER.test(fileName));
  return { ...sizeOf([entry]), whole: sizeOf([entry, ...matcher]).bytes };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const names of ['inspect', 'swap', 'inspect, swap, retarget', '*']) {
    const { bytes, whole } = await bundle(names);
    const [now, later, most] = [bytes, whole, BUDGET].map((count) => count.toLocaleString('en'));
    console.log(`${names.padEnd(24)} ${now} B of ${most}; with the matcher ${later} B`);
  }
  if ((await bundle('*')).bytes > BUDGET) process.exitCode = 1;
}
