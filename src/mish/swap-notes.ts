// The notes of a swap.
import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Form } from './forms.js';
import type { NewActivation } from './new-activation.js';
import {
  type NoteOptions,
  notesOn,
  notesOnChoice,
  notesOnImpliedRelus,
  notesOnPadding,
  notesOnRareModels,
} from './notes.js';
import type { OpsetAdvice } from './opset.js';
import type { Site, SiteOptions, Skip } from './sites.js';

/** The sites that were found, and the new scales if they were requested. */
interface Found {
  readonly sites: readonly Site[];
  readonly skipped: readonly Skip[];
  readonly int8: object | undefined;
}

/** The options of a swap that choose its sites. */
type Choice = SiteOptions & { readonly plan?: unknown; readonly int8?: unknown };

/** Returns a line for what a user may want to know of the rest of the model, and of the choice of sites. */
export async function notesOnModel(
  document: OnnxDocument,
  analysis: Analysis,
  { sites, skipped, int8 }: Found,
  to: NewActivation,
  options: Choice,
  noteOptions: NoteOptions,
): Promise<string[]> {
  const found = [...sites, ...skipped];
  const notes: string[] = [];
  if (sites.length === 0 || int8 || skipped.some(({ reason }) => reason === 'fused')) {
    const { noteOnOperators } = await import('./rare-notes.js');
    notes.push(...(await noteOnOperators(document, analysis, found, options, noteOptions)));
  }
  return [
    ...notes,
    ...(await notesOnPadding(document, analysis, sites, to)),
    ...(await notesOnImplied(document, analysis, options, noteOptions)),
    ...(await notesOnChoice(document, analysis, found, options, noteOptions)),
  ];
}

/** Returns a line if only `int8` swaps the ReLUs of QuantizeLinear nodes, and it is not given. */
async function notesOnImplied(
  document: OnnxDocument,
  analysis: Analysis,
  { plan, int8, only, to = 'mish' }: Choice,
  noteOptions: NoteOptions,
): Promise<string[]> {
  if (plan !== undefined || int8 !== undefined || to !== 'mish' || only?.includes('relu') === false)
    return [];
  const notes = await notesOnImpliedRelus(document, analysis);
  for (const note of notes) noteOptions[note] = { int8: 'exact' };
  return notes;
}

/**
 * Returns the notes on providers that cannot run the sites or are slow, on the file's size, and on sites that -Infinity reaches.
 * `form` is that of most sites, `common` the one that the options name.
 */
export async function notesOnSites(
  sites: readonly (Site & { readonly form: Form<string> })[],
  form: Form,
  common: Form,
  to: NewActivation,
  advice: OpsetAdvice,
  noteOptions: NoteOptions,
  size: number,
): Promise<string[]> {
  const { recipes } = to;
  const usual = sites.filter((site) => recipes || site.form === form);
  const notes = notesOn(recipes ? { limits: [] } : form, usual, advice, noteOptions);
  const others = sites.filter((site) => site.form !== common).length;
  if (recipes) notes.push(...recipes.notes(sites));
  else if (others > 0) notes.push((await import('./rare-notes.js')).noteOnOtherForm(others));
  return [...notes, ...(await notesOnRareModels(size, sites, to))];
}
