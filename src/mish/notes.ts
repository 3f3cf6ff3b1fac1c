import type { OptionHint } from '../base/option-hint.js';
import type { Analysis } from '../onnx/analysis.js';
import { type OnnxDocument, opsetOf } from '../onnx/document.js';
import { CAST_LIKE_OPSET, suits } from './emit.js';
import { FORM_FOR, FORMS, type Form, type Target } from './forms.js';
import type { NewActivation } from './new-activation.js';
import { convertTo, type OpsetAdvice, RUNS_FROM } from './opset.js';
import type { Site, SiteOptions } from './sites.js';

/** Options that notes advise; the key is the note. */
export type NoteOptions = Record<string, OptionHint>;

/** Facts about a site that decide its notes. */
type Noted = Pick<Site, 'type' | 'several' | 'isOpen' | 'scope'>;

/**
 * Returns a line, with the remedy, for each provider where a form is slow or cannot run at these sites. Stores the options
 * of each remedy in `options`.
 */
export function notesOn(
  form: Pick<Form, 'limits'>,
  sites: readonly Noted[],
  advice: OpsetAdvice = convertTo,
  options: NoteOptions = {},
): string[] {
  if (sites.length === 0) return [];
  const notes: string[] = [];
  /** Adds a note that advises another opset. */
  const add = (opset: number, start: string, end: string) => {
    const { text, option } = advice(opset);
    const note = `${start}; ${text} ${end}`;
    notes.push(note);
    if (option) options[note] = option;
  };
  const opset = sites.reduce((least, { scope }) => Math.min(least, opsetOf(scope)), RUNS_FROM);
  if (opset < RUNS_FROM) {
    const start = `ONNX Runtime has no Mul before opset ${RUNS_FROM}, and this is opset ${opset}`;
    add(RUNS_FROM, start, 'to run it there');
  }
  const told = new Set<Target>();
  for (const { on, type, before, says } of form.limits) {
    const concerned = sites.filter(
      (site) =>
        (type === undefined || site.type === type || site.several?.includes(type)) &&
        (before === undefined || opsetOf(site.scope) < before),
    );
    if (concerned.length === 0) continue;
    const open = on.filter((target) => !told.has(target));
    const [first] = open;
    if (first === undefined) continue;
    for (const target of open) told.add(target);
    const start = `${open.join(' and ')}: ${says}`;
    if (before !== undefined) {
      add(before, `${start} before opset ${before}`, 'first');
      continue;
    }
    const better = FORMS[FORM_FOR[first]];
    const takes = ({ several = [], isOpen, scope }: Noted, opset = opsetOf(scope)) =>
      several.length < 2 || (isOpen !== true && suits(better, { beta: 1 }, several, opset));
    if (concerned.some((site) => takes(site))) notes.push(`${start}; the ${better.name} form does better`);
    else if (concerned.some((site) => takes(site, CAST_LIKE_OPSET)))
      add(CAST_LIKE_OPSET, start, `for the ${better.name} form`);
    else notes.push(`${start}; no other form takes all types of the function`);
  }
  return notes;
}

const hasNode = ({ scopes }: OnnxDocument, wanted: string): boolean =>
  scopes.some(({ nodes }) => nodes.some(({ opType }) => opType === wanted));

/** Returns the note on padding that ONNX Runtime leaves out. */
export async function notesOnPadding(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly Site[],
  to: NewActivation,
): Promise<string[]> {
  if (!hasNode(document, 'Pad')) return [];
  return (await import('./zero-padding.js')).noteOnPadding(document, analysis, sites, to);
}

/** Returns the number of ReLUs that QuantizeLinear nodes compute without a Relu node. */
export async function countImpliedRelus(document: OnnxDocument, analysis: Analysis): Promise<number> {
  if (!hasNode(document, 'QuantizeLinear')) return 0;
  const { findImpliedRelus } = await import('./implied-relu.js'); // few models are quantised
  return findImpliedRelus(document, analysis).sites.length;
}

/** Returns the note on these ReLUs. */
export async function notesOnImpliedRelus(document: OnnxDocument, analysis: Analysis): Promise<string[]> {
  const count = await countImpliedRelus(document, analysis);
  return count === 0 ? [] : (await import('./rare-notes.js')).noteOnImpliedRelus(count);
}

/** Returns a line for each glob that selects no activation, and for kinds that the model lacks. */
export async function notesOnChoice(
  document: OnnxDocument,
  analysis: Analysis,
  found: readonly Site[],
  choice: SiteOptions,
  options: NoteOptions,
): Promise<string[]> {
  if ((choice.include ?? choice.exclude ?? choice.only) === undefined) return [];
  const { findUnmatched } = await import('./unmatched.js');
  const unmatched = await findUnmatched(document, analysis, found, choice);
  Object.assign(options, unmatched);
  return Object.keys(unmatched);
}

/** Size in bytes from which a file may be too large for ONNX Runtime. */
const LARGE_FILE_BYTES = 2e9;

/** Returns the notes that few models need: on the size of the file, and on the sites that -Infinity reaches. */
export async function notesOnRareModels(
  size: number,
  sites: readonly { readonly minusInfinity?: string | undefined }[] = [],
  to?: NewActivation,
): Promise<string[]> {
  const isUsual = size < LARGE_FILE_BYTES && sites.every(({ minusInfinity }) => minusInfinity === undefined);
  if (isUsual) return [];
  const { noteOnMinusInfinity, noteOnSize } = await import('./rare-notes.js');
  return [...noteOnMinusInfinity(sites, to), ...noteOnSize(size)];
}
