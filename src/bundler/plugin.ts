import type { UnpluginBuildContext, UnpluginContext, UnpluginFactory, UnpluginOptions } from 'unplugin';
import { OnnxMishError } from '../base/error.js';
import { VERSION } from '../base/version.js';
import { withDocument } from '../files/with-document.js';
import { inspectDocument } from '../mish/inspect.js';
import { hashBytes } from '../node/host.js';
import { swapToCache } from './cache.js';
import { type Deliver, deliverFor, type Emit, setupEsbuild } from './deliver.js';
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

/** The plugin in unplugin's terms. Throws `bad-usage` for options that cannot be. */
export const factory: UnpluginFactory<MishOptions | undefined, false> = (options = {}, { framework }) => {
  checkOptions(options);
  const deliver = deliverFor(framework);
  return {
    name: NAME,
    enforce: 'pre',
    load: {
      // Webpack’s kind shows a filter the path alone, so the query is looked at again.
      filter: { id: /\.onnx(?:\?|$)/ },
      handler(id) {
        return load(this, id, options, deliver);
      },
    },
    rollup: { resolveId },
    esbuild: { onLoadFilter: /\.onnx$/, loader: 'js', setup: setupEsbuild },
    webpack: (compiler) => narrowRules(compiler.options.module.rules, options),
    rspack: (compiler) => narrowRules(compiler.options.module.rules, options),
  } satisfies UnpluginOptions;
};

/** The code of a module that this plugin makes; null for all others. */
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
      const inspection = await withDocument(path, (document) => inspectDocument(document, chosen));
      // Parsed, not written out as an object, in which a key may be __proto__.
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(inspection))});`;
    }
    const model = await swapToCache(path, chosen, (file) => context.addWatchFile(file));
    watchCached(context, model.path);
    if (model.warning !== undefined) context.warn(model.warning);
    const files = [model.path, ...model.data.map((data) => data.path)];
    // Rollup's kind gives a reference back, which unplugin's types leave out.
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
    // Rollup's kind throws here, the others go on and fail at the end. Some show the stack, which helps nobody.
    context.error({ message, stack: message });
    return 'export default undefined; export const externalData = [];';
  }
}

/** Has a bundler that keeps our code from run to run ask again when the cached model that it names is gone. */
function watchCached(context: UnpluginBuildContext, path: string): void {
  context.addWatchFile(path);
  const native = context.getNativeBuildContext?.();
  // Webpack then remembers that it saw no file.
  if (native?.framework === 'webpack') native.compiler.inputFileSystem?.purge?.(path);
}

/** What Rollup's hooks are called on, as far as it is used here. */
interface Resolver {
  resolve(source: string, importer?: string): Promise<{ id: string; external?: unknown } | null>;
}

/** Rollup looks for no file whose name ends with a query; other bundlers set it aside by themselves. */
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
 * Has webpack's rule for this plugin hold for its queries only, and come last: what other rules say of models must not
 * make an asset of our module. The loader goes by the options, else a cache from an earlier run would not see them change.
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
