import type { Advice } from '../base/option-hint.js';
import type { Inspection } from './inspection.js';
import {
  adviceOnKinds,
  noteOnCounts,
  noteOnImpliedRelus,
  noteOnMinusInfinity,
  noteOnQuantizedParts,
} from './rare-notes.js';

/** Returns all notes on an inspection, with the options that they advise. */
export function notesOnInspection(inspection: Inspection): Advice[] {
  const { operators, kinds, sites, skipped, mish, notes, noteOptions = {}, impliedRelus = 0 } = inspection;
  // The operators explain why a model has no sites, or has fused activations.
  const needsReason = sites.length === 0 || skipped.some(({ reason }) => reason === 'fused');
  return [
    ...(needsReason ? noteOnCounts(operators) : []).map((text) => ({ text })),
    ...(mish.length > 0 ? [] : noteOnQuantizedParts(operators)).map((text) => ({ text })),
    ...(sites.length + skipped.length > 0 ? [] : adviceOnKinds(kinds)).map(({ text, only }) => ({
      text,
      option: { swap: { only } },
    })),
    ...notes.map((text) => ({ text, option: noteOptions[text] })),
    ...noteOnImpliedRelus(impliedRelus).map((text) => ({ text, option: { swap: { int8: 'exact' } } })),
    ...noteOnMinusInfinity(sites).map((text) => ({ text })),
  ];
}
