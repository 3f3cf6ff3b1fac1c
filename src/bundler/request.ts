// What an import asks for: its query, and with it the options of the plugin.

import { OnnxMishError } from '../base/error.js';
import type { FormName, Target } from '../mish/forms.js';
import { checkBeta, chooseForm, type SwapOptions } from '../mish/swap.js';

/** How the models that a bundle imports are swapped: as `swap` does, save for two defaults. */
export interface MishOptions
  extends Pick<SwapOptions, 'only' | 'include' | 'exclude' | 'beta' | 'leaky' | 'opset' | 'fold' | 'strict'> {
  /** How to write Mish; what `target` asks for unless given. */
  readonly form?: FormName | undefined;
  /** The provider the models will run on, which chooses the form. `wasm` unless given: that form runs on all of the web's. */
  readonly target?: Target | undefined;
  /** Keep in the asset what `undo` needs. Unlike elsewhere it is left out unless asked for, as it costs bytes to load. */
  readonly undo?: boolean | undefined;
  /** Where swapped models are kept; `node_modules/.cache/onnx-mish` of the nearest package unless given. */
  readonly cacheDir?: string | undefined;
}

/** What an import asks for. */
export interface Request {
  readonly path: string;
  /** The swapped model's address, or what the model is. */
  readonly wants: 'mish' | 'mish-info';
  readonly query: URLSearchParams;
}

/** An import of a model by this plugin, as a bundler has it: with `mish` or `mish-info` in its query. */
export const REQUEST = /\.onnx\?(?:[^#]*&)?mish(?:-info)?(?:&|$)/;
/** The same query alone. */
export const QUERY = /^\?(?:[^#]*&)?mish(?:-info)?(?:&|$)/;

/** An import by this plugin in two: the model, and the query with its `?`. Undefined for any other. */
export function splitRequest(id: string): { path: string; search: string } | undefined {
  const found = REQUEST.exec(id);
  if (found === null) return undefined;
  const at = found.index + '.onnx'.length;
  return { path: id.slice(0, at), search: id.slice(at) };
}

/** What an id asks of this plugin, if anything. */
export function parseRequest(id: string): Request | undefined {
  const found = splitRequest(id);
  if (found === undefined) return undefined;
  const query = new URLSearchParams(found.search);
  return { path: found.path, wants: query.has('mish-info') ? 'mish-info' : 'mish', query };
}

const TEXT = (values: readonly string[]) => values.at(-1);
const LIST = (values: readonly string[]) => values.flatMap((value) => value.split(','));

/** What a query may say, and how. */
const IN_QUERY: Readonly<Record<string, (values: readonly string[]) => unknown>> = {
  form: TEXT,
  target: TEXT,
  leaky: TEXT,
  beta: (values) => Number(values.at(-1)),
  opset: (values) => Number(values.at(-1)),
  only: LIST,
  include: LIST,
  exclude: LIST,
};
/** What bundlers and this plugin put into queries themselves. */
const NOT_OPTIONS = new Set(['mish', 'mish-info', 'import', 't', 'v']);

const OPTIONS = [...Object.keys(IN_QUERY), 'fold', 'strict', 'undo', 'cacheDir'];

/** Throws `bad-usage` for an option of the plugin that does not exist or cannot be. */
export function checkOptions(options: MishOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new OnnxMishError('bad-usage', `there is no option '${name}'`, {
      where: 'onnx-mish/unplugin',
      fix: `Choose from ${OPTIONS.join(', ')}`,
    });
  }
  chooseForm(options);
  checkBeta(options.beta);
}

/** The plugin's options with those of one import over them. Throws `bad-usage` for one that does not exist. */
export function optionsOf({ path, query }: Request, options: MishOptions): MishOptions {
  const own: Record<string, unknown> = {};
  for (const name of query.keys()) {
    if (NOT_OPTIONS.has(name)) continue;
    const read = Object.hasOwn(IN_QUERY, name) ? IN_QUERY[name] : undefined;
    if (read === undefined) {
      throw new OnnxMishError('bad-usage', `its import has an option '${name}', and there is none`, {
        where: path,
        fix: `Choose from ${Object.keys(IN_QUERY).join(', ')}`,
      });
    }
    own[name] = read(query.getAll(name));
  }
  // A form or a target named at the import replaces both, as either decides.
  const { form, target, ...rest } = options;
  const formless = 'form' in own || 'target' in own;
  return { ...rest, ...(formless ? {} : { form, target: target ?? 'wasm' }), ...own };
}
