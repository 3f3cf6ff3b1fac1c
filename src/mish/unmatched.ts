import { inWords } from '../base/in-words.js';
import type { OptionHint } from '../base/option-hint.js';
import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { kindNamed, kindOf } from './activation-kinds.js';
import { loadMatcher } from './load-matcher.js';
import type { Site } from './site.js';
import { globs, type SiteOptions } from './sites.js';

/** Nodes of an activation, and its kind. */
interface Activation {
  readonly kind: string;
  readonly nodes: readonly Node[];
}

/**
 * Returns a note for each glob that selects no activation, and for kinds that the model lacks: a misspelt `exclude` would
 * otherwise swap silently what it was to keep. `found` are the sites and the skipped activations.
 *
 * @example
 * await findUnmatched(document, analysis, found, { exclude: ['haed*'] }); // { "no activation matches 'haed*'": … }
 */
export async function findUnmatched(
  document: OnnxDocument,
  analysis: Analysis,
  found: readonly Pick<Site, 'node' | 'inner' | 'kind'>[],
  { include = [], exclude = [], only = [], to = 'mish' }: SiteOptions,
): Promise<Record<string, OptionHint>> {
  const notes: Record<string, OptionHint> = {};
  const candidates = found.map(({ kind, node, inner = [] }) => ({ kind, nodes: [node, ...inner] }));
  if (only.length > 0 && !candidates.some(({ kind }) => only.some((name) => kindNamed(name)?.name === kind)))
    notes[`the model has no ${only.join(' and no ')} to swap`] = { only: null };

  const isUnmatched = (glob: string) => matchedBy(glob, candidates).length === 0;
  const isComplete = ![...include, ...exclude].some(isUnmatched);
  const others = isComplete ? [] : await activationsOf(document, analysis);
  for (const glob of include.filter(isUnmatched)) {
    const kinds = [...new Set(matchedBy(glob, others).map(({ kind }) => kind))];
    const onRequest = kinds.filter((kind) => kind !== kindNamed(to)?.name);
    if (kinds.length === 0) notes[`no activation matches '${glob}'`] = { include: null };
    else if (onRequest.length === 0)
      notes[`'${glob}' matches ${to}, which is to be written`] = { include: null };
    else
      notes[`'${glob}' matches ${inWords(onRequest)}, which a swap takes on request`] = {
        only: onRequest.join(','),
      };
  }
  // An activation that no swap takes anyway stays, as `exclude` asks.
  for (const glob of exclude.filter(isUnmatched))
    if (matchedBy(glob, others).length === 0) notes[`no activation matches '${glob}'`] = { exclude: null };
  return notes;
}

function matchedBy(glob: string, activations: readonly Activation[]): Activation[] {
  const isMatch = globs([glob]);
  return activations.filter(({ nodes }) => nodes.some((node) => isMatch?.(node)));
}

/** Returns all activations of a document, of whatever kind. */
async function activationsOf(document: OnnxDocument, analysis: Analysis): Promise<Activation[]> {
  const parts = (await loadMatcher(document))?.findParts(document, analysis);
  return document.scopes
    .flatMap(({ nodes }) => nodes)
    .flatMap((node) => {
      const part = parts?.get(node);
      const kind = part?.site?.kind ?? kindOf(node)?.name;
      return kind === undefined ? [] : [{ kind, nodes: part?.site ? part.nodes : [node] }];
    });
}
