import { dirname } from 'node:path';
import type { UnpluginBuildContext, UnpluginContext, UnpluginFactory, UnpluginOptions } from 'unplugin';
import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import { type DataFile, dataFiles } from '../files/external-data.js';
import { withDocument } from '../files/with-document.js';
import { inspectDocument } from '../mish/inspect-document.js';
import { hashBytes } from '../node/host.js';
import type { OnnxDocument } from '../onnx/document.js';
import { swapToCache } from './cache.js';
import { type Deliver, deliverFor, type Emit, setupEsbuild } from './deliver.js';
import { plainFile } from './plain-file.js';
import {
  checkOptions,
  type MishOptions,
  optionsOf,
  parseRequest,
  QUERY,
  REQUEST,
  splitRequest,
} from './request.js';

const NAME = 'onnx-mish';

/** Creates the plugin for unplugin. Throws `bad-usage` for invalid options. */
export const factory: UnpluginFactory<MishOptions | undefined, false> = (options = {}, { framework }) => {
  checkOptions(options);
  const deliver = deliverFor(framework);
  return {
    name: NAME,
    enforce: 'pre',
    load: {
      // Webpack and its relatives give the filter only the path, so that `load` checks the query.
      filter: { id: /\.onnx(?:\?|$)/i },
      handler(id) {
        return load(this, id, options, deliver);
      },
    },
    rollup: { resolveId },
    esbuild: { onLoadFilter: /\.onnx$/i, loader: 'js', setup: setupEsbuild },
    webpack: (compiler) => narrowRules(compiler.options.module.rules, options),
    rspack: (compiler) => narrowRules(compiler.options.module.rules, options),
  } satisfies UnpluginOptions;
};

/** Returns the code of a module that this plugin creates; null for other modules. */
async function load(
  context: UnpluginBuildContext & UnpluginContext,
  id: string,
  options: MishOptions,
  deliver: Deliver,
): Promise<string | null> {
  const request = parseRequest(id);
  if (request === undefined) return null;
  const { path, wants } = request;
  context.addWatchFile(path);
  try {
    const chosen = optionsOf(request, options);
    if (wants === 'mish-info') {
      const inspection = await withDocument(path, async (document) => {
        for (const file of await readableData(document, path)) context.addWatchFile(file.path);
        return inspectDocument(document, chosen);
      });
      // Parsed from JSON, because a key `__proto__` in an object literal would set the prototype.
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(inspection))});`;
    }
    const model = await swapToCache(path, chosen, (file) => context.addWatchFile(file));
    watchCached(context, model.path);
    if (model.cost !== undefined)
      console.info(`${NAME}: ${path}: a run takes ${model.cost}; onnx-mish validate measures yours`);
    if (model.warning !== undefined) context.warn(model.warning);
    const dataPaths = model.data.map((file, index) => plainFile(file, model.path, index));
    const files = [model.path, ...(await Promise.all(dataPaths))];
    // Rollup and its relatives return a reference, which unplugin's types omit.
    const emit: Emit = (asset) => context.emitFile(asset);
    const [url, ...data] = await Promise.all(files.map((file, index) => deliver(file, index, emit)));
    const external = model.data.map(
      ({ location }, index) => `{ path: ${JSON.stringify(location)}, data: ${data[index]?.expression} }`,
    );
    return [
      ...[url, ...data].flatMap((address) => address?.before ?? []),
      `export default ${url?.expression};`,
      `export const externalData = [${external.join(', ')}];`,
    ].join('\n');
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    const { message } = error;
    // Rollup and its relatives throw here, the others fail at the end of the build. Some print the stack, which does
    // not help the user, so that it is replaced by the message.
    context.error({ message, stack: message });
    return 'export default undefined; export const externalData = [];';
  }
}

/** Returns the data files of a model, whose numbers tell what nodes compute; none where they may not be read. */
function readableData(document: OnnxDocument, path: string): Promise<readonly DataFile[]> {
  return dataFiles(document, dirname(path)).catch((error: unknown) => {
    if (error instanceof OnnxMishError && error.code === 'external-data') return [];
    throw error;
  });
}

/** Makes a bundler with a cache call `load` again when the cached model is missing. */
function watchCached(context: UnpluginBuildContext, path: string): void {
  context.addWatchFile(path);
  const native = context.getNativeBuildContext?.();
  // Webpack may remember that the file did not exist, so its file cache is cleared.
  if (native?.framework === 'webpack') native.compiler.inputFileSystem?.purge?.(path);
}

/** The part of Rollup's plugin context that this file uses. */
interface Resolver {
  resolve(source: string, importer?: string): Promise<{ id: string; external?: unknown } | null>;
}

/** Resolves paths with a query, which Rollup does not; other bundlers ignore the query. */
const resolveId = {
  filter: { id: REQUEST },
  async handler(this: Resolver, source: string, importer: string | undefined) {
    const request = splitRequest(source);
    if (request === undefined) return null;
    const found = await this.resolve(request.path, importer);
    return found === null || found.external ? null : found.id + request.search;
  },
};

interface LoadRule {
  readonly use: readonly { readonly options?: { readonly plugin?: { readonly name?: string } } }[];
}

/**
 * Limits webpack's rule for this plugin to its queries, and puts it last. Otherwise another rule for models would
 * turn the module into an asset. The loader's `ident` contains the options, because otherwise a cache from an earlier
 * run would ignore changed options.
 */
function narrowRules(rules: unknown[], options: MishOptions): void {
  const isOurs = (rule: unknown): rule is LoadRule => {
    const { use } = (rule ?? {}) as Partial<LoadRule>;
    return Array.isArray(use) && use[0]?.options?.plugin?.name === NAME;
  };
  const ident = `${NAME}-${hashBytes(new TextEncoder().encode(JSON.stringify([VERSION, options])))}`;
  const narrowed = rules.filter(isOurs).map((rule) => ({
    ...rule,
    resourceQuery: QUERY,
    use: rule.use.map((loader) => ({ ident, ...loader })),
  }));
  rules.splice(0, rules.length, ...rules.filter((rule) => !isOurs(rule)), ...narrowed);
}
