// Reads the query of an import and combines it with the options of the plugin.

import { OnnxMishError } from '../base/error.js';
import type { FormName, Target } from '../mish/forms.js';
import { activationTag, checkBeta, chooseForm, type SwapOptions } from '../mish/swap.js';

/** Options of the swap of imported models, as for `swap`, with two other defaults. */
export interface MishOptions
  extends Pick<
    SwapOptions,
    'to' | 'alpha' | 'only' | 'include' | 'exclude' | 'beta' | 'leaky' | 'opset' | 'fold' | 'strict'
  > {
  /** Form of Mish; default: the form for `target`. */
  readonly form?: FormName | undefined;
  /**
   * Provider that the models will run on, which decides the form. Default `wasm`, whose form runs on all web
   * providers.
   */
  readonly target?: Target | undefined;
  /**
   * Whether to keep the undo record in the asset. Default false here, because the record adds bytes to the download.
   */
  readonly undo?: boolean | undefined;
  /** Folder for swapped models; default `node_modules/.cache/onnx-mish` of the nearest package. */
  readonly cacheDir?: string | undefined;
}

/** An import of a model, parsed. */
export interface Request {
  readonly path: string;
  /** Whether to import the URL of the swapped model, or the description of the model. */
  readonly wants: 'mish' | 'mish-info';
  readonly query: URLSearchParams;
}

/** Matches an import for this plugin: a model with `mish` or `mish-info` in its query. */
export const REQUEST = /\.[oO][nN][nN][xX]\?(?:[^#]*&)?mish(?:-info)?(?:&|$)/;
/** Matches only the query of such an import. */
export const QUERY = /^\?(?:[^#]*&)?mish(?:-info)?(?:&|$)/;

/** Splits an import for this plugin into the path and the query with its `?`. Returns undefined for other imports. */
export function splitRequest(id: string): { path: string; search: string } | undefined {
  const found = REQUEST.exec(id);
  if (found === null) return undefined;
  const at = found.index + '.onnx'.length;
  return { path: id.slice(0, at), search: id.slice(at) };
}

/** Parses an import for this plugin; undefined for other imports. */
export function parseRequest(id: string): Request | undefined {
  const found = splitRequest(id);
  if (found === undefined) return undefined;
  const query = new URLSearchParams(found.search);
  return { path: found.path, wants: query.has('mish-info') ? 'mish-info' : 'mish', query };
}

const TEXT = (values: readonly string[]) => values.at(-1);
const LIST = (values: readonly string[]) => values.flatMap((value) => value.split(','));

/** Options that a query may have, with their parsers. */
const IN_QUERY: Readonly<Record<string, (values: readonly string[]) => unknown>> = {
  form: TEXT,
  target: TEXT,
  to: TEXT,
  alpha: (values) => Number(values.at(-1)),
  leaky: TEXT,
  beta: (values) => Number(values.at(-1)),
  opset: (values) => Number(values.at(-1)),
  only: LIST,
  include: LIST,
  exclude: LIST,
};
/** Query parameters of bundlers and of this plugin, which are not options. */
const NOT_OPTIONS = new Set(['mish', 'mish-info', 'import', 't', 'v']);

const OPTIONS = [...Object.keys(IN_QUERY), 'fold', 'strict', 'undo', 'cacheDir'];

/** Throws `bad-usage` for an unknown option or an invalid value. */
export function checkOptions(options: MishOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new OnnxMishError('bad-usage', `'${name}' is not an option`, {
      where: 'onnx-mish/unplugin',
      fix: `Choose from ${OPTIONS.join(', ')}`,
    });
  }
  activationTag(options);
  chooseForm(options);
  checkBeta(options.beta);
}

/** Returns the plugin's options, overridden by those of the import. Throws `bad-usage` for an unknown option. */
export function optionsOf({ path, query }: Request, options: MishOptions): MishOptions {
  const own: Record<string, unknown> = {};
  for (const name of query.keys()) {
    if (NOT_OPTIONS.has(name)) continue;
    const read = Object.hasOwn(IN_QUERY, name) ? IN_QUERY[name] : undefined;
    if (read === undefined) {
      throw new OnnxMishError('bad-usage', `'${name}' is not an option of an import`, {
        where: path,
        fix: `Choose from ${Object.keys(IN_QUERY).join(', ')}`,
      });
    }
    own[name] = read(query.getAll(name));
  }
  // A form or a target in the import replaces both options of the plugin, because either decides the form.
  const { form, target, ...rest } = options;
  const formless = 'form' in own || 'target' in own;
  // Another activation has neither the form of the plugin's activation nor its parameters.
  const { alpha: _, beta: __, leaky: ___, ...general } = rest;
  const isOther = 'to' in own && own.to !== (options.to ?? 'mish');
  return {
    ...(isOther ? general : rest),
    ...(formless ? {} : { form: isOther ? undefined : form, target: target ?? 'wasm' }),
    ...own,
  };
}
