import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument, Scope, StoredTensor } from '../onnx/document.js';

// A page loads what looks for infinite constants, roots, divisors, clamps, masks and quantised values on demand: few models have
// all.

const isInfinite = (number: number | undefined) => Math.abs(number ?? 0) === Number.POSITIVE_INFINITY;
const holdsInfinity = (tensor: StoredTensor | undefined) =>
  isInfinite(tensor?.scalar) || tensor?.minusInfinity === true;

function hasInfinity({ initializers, nodes }: Scope): boolean {
  for (const tensor of initializers.values()) if (holdsInfinity(tensor)) return true;
  return nodes.some(({ attributes }) =>
    attributes.some(({ tensor, f }) => isInfinite(f) || holdsInfinity(tensor)),
  );
}

/** Loads `findMinusInfinity` if the document has an infinite constant. */
export async function loadMinusInfinity(
  document: OnnxDocument,
  analysis: Analysis,
): Promise<(scope: Scope, name: string) => string | undefined> {
  if (!document.scopes.some(hasInfinity)) return () => undefined;
  const { findMinusInfinity } = await import('./minus-infinity.js');
  return findMinusInfinity(document, analysis);
}

/** Operators that may quantise: those of any domain that say so, and those that round. */
const QUANTISES = /quant|^(Round|Floor|Ceil|Trunc|MultiThreshold)/i;
/** Operators that do not take every operand. */
const BOUNDED = /^(Sqrt|Log|ReduceLogSum|Reciprocal|Pow|Div|Mod|Acosh|Asin|Acos|Atanh|Exp)$/;
const NORM = 'BatchNormalization';
/** Operators that bound values, or turn them round so that a ReLU bounds them from above. */
const CLAMPS = /^(Clip|Min|Max|Neg|Sub|Mul|Div)$/;
/** Operators that square values or cut them off. */
const LOSES = /^(Mul|Pow|Abs|Max|Clip)$/;
/** Operators that decide a mask. */
const MASKS = /^(Cast|Equal|Greater|Less|Sign)/;

/** Questions that are asked only if a node of the document could be the answer. */
export interface Questions {
  readonly guard?: import('./guards.js').Guards['guard'] | undefined;
  readonly domain?: import('./guards.js').Guards['domain'] | undefined;
  readonly negative?: typeof import('./use-negative.js').negativeQuestion | undefined;
  readonly quantized?:
    | Pick<typeof import('./use-quantized.js'), 'quantizedQuestion' | 'createInt8Option'>
    | undefined;
  readonly clamp?: Pick<typeof import('./use-clamp.js'), 'clampQuestion' | 'createClampBefore'> | undefined;
  readonly mask?: typeof import('./use-mask.js').maskQuestion | undefined;
}

/** Loads the questions that a document needs. */
export async function loadQuestions(document: OnnxDocument): Promise<Questions> {
  const types = new Set<string>();
  // A batch normalisation takes the root of its variance.
  for (const { nodes, initializers } of document.scopes)
    for (const { opType, inputs } of nodes)
      types.add(opType === NORM && !initializers.has(inputs[4] ?? '') ? 'Sqrt' : opType);
  const has = (operators: RegExp) => [...types].some((type) => operators.test(type));
  return {
    ...(has(BOUNDED) && (await (await import('./guards.js')).loadGuards(document))),
    negative: has(LOSES) ? (await import('./use-negative.js')).negativeQuestion : undefined,
    quantized: has(QUANTISES) ? await import('./use-quantized.js') : undefined,
    clamp: has(CLAMPS) ? await import('./use-clamp.js') : undefined,
    mask: has(MASKS) ? (await import('./use-mask.js')).maskQuestion : undefined,
  };
}
