import type { Site } from './site.js';
import { globs, type SiteOptions } from './sites.js';

/** Notes, and for each the option that it is about. */
interface Unmatched {
  readonly notes: readonly string[];
  readonly options: Readonly<Record<string, { include: null } | { exclude: null }>>;
}

/**
 * Returns a note for each glob that matches no activation: a misspelt `exclude` would otherwise swap silently what it was
 * to keep.
 *
 * @example
 * unmatchedGlobs(activations, { exclude: ['haed*'] }).notes; // ["no activation matches 'haed*'"]
 */
export function unmatchedGlobs(
  activations: readonly Pick<Site, 'node' | 'inner'>[],
  { include = [], exclude = [] }: Pick<SiteOptions, 'include' | 'exclude'>,
): Unmatched {
  const notes: string[] = [];
  const options: Record<string, { include: null } | { exclude: null }> = {};
  const given = [
    ...include.map((glob) => ({ glob, option: { include: null } })),
    ...exclude.map((glob) => ({ glob, option: { exclude: null } })),
  ];
  for (const { glob, option } of given) {
    const isMatch = globs([glob]);
    if (activations.some(({ node, inner = [] }) => [node, ...inner].some((one) => isMatch?.(one)))) continue;
    const note = `no activation matches '${glob}'`;
    notes.push(note);
    options[note] = option;
  }
  return { notes, options };
}
