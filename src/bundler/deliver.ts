// How a file becomes an asset with an address: each bundler's own way, so that its settings for assets hold.
import { readFile } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import type { PluginBuild } from 'esbuild';
import { OnnxMishError } from '../base/error.js';
import { REQUEST, splitRequest } from './request.js';

/** JavaScript that gives a file's address: an expression, and the import that it needs. */
export interface Address {
  readonly before?: string;
  readonly expression: string;
}

/** The bundler's `emitFile`; Rollup's kind gives a reference back. */
export type Emit = (asset: { type: 'asset'; name: string; source: Uint8Array }) => unknown;

/** Makes an asset of a file; `index` keeps names apart within a module. */
export type Deliver = (path: string, index: number, emit: Emit) => Promise<Address>;

const slashes = (path: string) => path.replaceAll('\\', '/');

const byImport =
  (source: (path: string) => string): Deliver =>
  async (path, index) => ({
    before: `import asset${index} from ${JSON.stringify(source(slashes(path)))};`,
    expression: `asset${index}`,
  });

/** Never as a data URL, however small: ONNX Runtime fetches it, and a page's policy may forbid that. */
const vite = byImport((path) => `${path}?url&no-inline`);

const NAMESPACE = 'onnx-mish-asset';
const esbuild = byImport((path) => `${NAMESPACE}:${path}`);

/**
 * Has esbuild's `file` loader take what `esbuild` imports, and esbuild find models whose query has slashes, which it would
 * not by itself.
 */
export function setupEsbuild(build: PluginBuild): void {
  const root = build.initialOptions.absWorkingDir ?? process.cwd();
  build.onResolve({ filter: new RegExp(`^${NAMESPACE}:`) }, ({ path }) => ({
    // It shows in comments of the output, which should be the same on every machine.
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

/** By the name that unplugin has for a bundler. Throws `bad-usage` for one that this plugin does not know. */
export function deliverFor(framework: string): Deliver {
  const known = Object.hasOwn(DELIVER, framework) ? DELIVER[framework] : undefined;
  if (known !== undefined) return known;
  throw new OnnxMishError('bad-usage', `onnx-mish cannot make assets with ${framework}`, {
    fix: `Use it with ${Object.keys(DELIVER).join(', ')}`,
  });
}
