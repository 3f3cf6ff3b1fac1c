// Turns a file into an asset with a URL. Each bundler does so in its usual way, so that its settings for assets
// apply.
import { readFile } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import type { PluginBuild } from 'esbuild';
import { OnnxMishError } from '../base/error.js';
import { REQUEST, splitRequest } from './request.js';

/** JavaScript for a file's URL: an expression, and the import that the expression needs. */
export interface Address {
  readonly before?: string;
  readonly expression: string;
}

/** The bundler's `emitFile`; in Rollup and its relatives it returns a reference. */
export type Emit = (asset: { type: 'asset'; name: string; source: Uint8Array }) => unknown;

/** Makes an asset of a file; `index` distinguishes the assets of one module. */
export type Deliver = (path: string, index: number, emit: Emit) => Promise<Address>;

const slashes = (path: string) => path.replaceAll('\\', '/');

const byImport =
  (source: (path: string) => string): Deliver =>
  async (path, index) => ({
    before: `import asset${index} from ${JSON.stringify(source(slashes(path)))};`,
    expression: `asset${index}`,
  });

/** Never a data URL, even for a small file: ONNX Runtime fetches it, and a page's policy may forbid this. */
const vite = byImport((path) => `${path}?url&no-inline`);

const NAMESPACE = 'onnx-mish-asset';
const esbuild = byImport((path) => `${NAMESPACE}:${path}`);

/**
 * Loads the plugin's asset imports with esbuild's `file` loader, and resolves models whose query has slashes, which
 * esbuild does not resolve.
 */
export function setupEsbuild(build: PluginBuild): void {
  const root = build.initialOptions.absWorkingDir ?? process.cwd();
  build.onResolve({ filter: new RegExp(`^${NAMESPACE}:`) }, ({ path }) => ({
    // The path appears in comments of the output, which should be the same on every machine.
    path: slashes(relative(root, path.slice(NAMESPACE.length + 1))),
    namespace: NAMESPACE,
  }));
  build.onLoad({ filter: /.*/, namespace: NAMESPACE }, async ({ path }) => {
    const file = resolve(root, path);
    return { contents: await readFile(file), loader: 'file', watchFiles: [file] };
  });
  build.onResolve({ filter: REQUEST }, async ({ path: id, importer, resolveDir, kind }) => {
    const { path, search } = splitRequest(id) ?? { path: id, search: '' };
    const found = await build.resolve(path, { importer, resolveDir, kind });
    const { errors, warnings, external, namespace, sideEffects } = found;
    return { path: found.path, suffix: search, errors, warnings, external, namespace, sideEffects };
  });
}

const webpack: Deliver = async (path) => ({
  expression: `new URL(${JSON.stringify(slashes(path))}, import.meta.url).href`,
});

const rollup: Deliver = async (path, _, emit) => {
  const source = await readFile(path);
  return {
    expression: `import.meta.ROLLUP_FILE_URL_${emit({ type: 'asset', name: basename(path), source })}`,
  };
};

const DELIVER: Readonly<Record<string, Deliver>> = {
  vite,
  rollup,
  webpack,
  esbuild,
  rspack: webpack,
  rolldown: rollup,
};

/**
 * Returns the function for a bundler by unplugin's name. Throws `bad-usage` for a bundler that the plugin does not
 * support.
 */
export function deliverFor(framework: string): Deliver {
  const known = Object.hasOwn(DELIVER, framework) ? DELIVER[framework] : undefined;
  if (known !== undefined) return known;
  throw new OnnxMishError('bad-usage', `onnx-mish cannot make assets with ${framework}`, {
    fix: `Use it with ${Object.keys(DELIVER).join(', ')}`,
  });
}
