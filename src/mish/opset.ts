import type { Advice } from '../base/option-hint.js';
import { type OnnxDocument, opsetOf } from '../onnx/document.js';
import type { Edit } from '../onnx/splice.js';
import type { Form } from './forms.js';

/** The first opset whose arithmetic operators ONNX Runtime has kernels for. */
export const RUNS_FROM = 7;

/** The remedy for what needs an opset. */
export type OpsetAdvice = (opset: number) => Advice;

/** The remedy where the opset cannot be raised here. */
export const convertTo: OpsetAdvice = (opset) => ({ text: `convert the model to opset ${opset}` });

/** Prepares the advice on opsets for a form. The rules for raising one are loaded where a graph may need them. */
export async function opsetAdvice(document: OnnxDocument, form: Form): Promise<OpsetAdvice> {
  const needed = Math.max(RUNS_FROM, form.opset, ...form.limits.map(({ before = 0 }) => before));
  if (document.scopes.every((scope) => opsetOf(scope) >= needed)) return convertTo;
  const { opsetObstacle } = await import('./raise-opset.js');
  return (opset) =>
    opsetObstacle(document, opset) === undefined
      ? { text: `raise it to opset ${opset}`, option: { opset } }
      : convertTo(opset);
}

/**
 * Does something with a document as if it had another opset, given the edits that raise it. Throws as `raiseOpset` does.
 */
export async function withOpset<T>(
  document: OnnxDocument,
  to: number | undefined,
  use: (edits: readonly Edit[]) => Promise<T>,
): Promise<T> {
  if (to === undefined || to === opsetOf(document.graph)) return use([]);
  const { raiseOpset } = await import('./raise-opset.js'); // a page that raises none does not load it
  return raiseOpset(document, to, use);
}

/** The record of edits that raise the opset. */
export function raising(document: OnnxDocument, edits: readonly Edit[]) {
  return { operation: 'opset', form: `opset ${opsetOf(document.graph)}`, sites: edits.length } as const;
}

/** The edits of nodes that are not replaced by others. */
export function besides(edits: readonly Edit[], others: readonly Edit[]): Edit[] {
  const taken = new Set(others.flatMap(({ start, end }) => (end > start ? [start] : [])));
  return edits.filter(({ start, frame }) => frame === undefined || !taken.has(start));
}
