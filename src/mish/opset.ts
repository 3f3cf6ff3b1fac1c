import type { Advice } from '../base/option-hint.js';
import { type OnnxDocument, opsetOf } from '../onnx/document.js';
import type { Edit } from '../onnx/splice.js';
import type { Form } from './forms.js';

/** The first opset with arithmetic kernels in ONNX Runtime. */
export const RUNS_FROM = 7;

/** Advice to a user whose model needs this opset. */
export type OpsetAdvice = (opset: number) => Advice;

/** Advises conversion, for a model whose opset onnx-mish cannot raise. */
export const convertTo: OpsetAdvice = (opset) => ({ text: `convert the model to opset ${opset}` });

/** Prepares the advice on opsets for a form. Loads the rules for raising the opset only if a graph may need them. */
export async function opsetAdvice(document: OnnxDocument, form: Form<string>): Promise<OpsetAdvice> {
  const needed = Math.max(RUNS_FROM, form.opset, ...form.limits.map(({ before = 0 }) => before));
  if (document.scopes.every((scope) => opsetOf(scope) >= needed)) return convertTo;
  const { opsetObstacle } = await import('./raise-opset.js');
  return (opset) =>
    opsetObstacle(document, opset) === undefined
      ? { text: `raise it to opset ${opset}`, option: { opset } }
      : convertTo(opset);
}

/** Sets the opset of a document while `use` runs; `use` gets the edits that raise the opset in the file. Throws the errors of `raiseOpset`. */
export async function withOpset<T>(
  document: OnnxDocument,
  to: number | undefined,
  use: (edits: readonly Edit[]) => Promise<T>,
): Promise<T> {
  if (to === undefined || to === opsetOf(document.graph)) return use([]);
  const { raiseOpset } = await import('./raise-opset.js'); // loaded on demand, for smaller pages
  return raiseOpset(document, to, use);
}

/** Returns the record of an operation that raises the opset. */
export function raising(document: OnnxDocument, edits: readonly Edit[]) {
  return { operation: 'opset', form: `opset ${opsetOf(document.graph)}`, sites: edits.length } as const;
}

/** Returns the edits of nodes that the other edits do not replace. */
export function besides(edits: readonly Edit[], others: readonly Edit[]): Edit[] {
  const taken = new Set(others.flatMap(({ start, end }) => (end > start ? [start] : [])));
  return edits.filter(({ start, frame }) => frame === undefined || !taken.has(start));
}
