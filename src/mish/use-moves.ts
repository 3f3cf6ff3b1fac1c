import { attribute, type Node } from '../onnx/document.js';
import { DataType } from '../onnx/types.js';
import type { InputUse } from './value-flow.js';

export const wordSet = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Operators that move or select values without changing them. */
export const MOVES =
  wordSet(`Identity Reshape Flatten Squeeze Unsqueeze Transpose Dropout MaxPool GlobalMaxPool Slice Split
  Expand Tile Gather DepthToSpace SpaceToDepth`);

/** Operators that put values into sequences and optionals, and take them out. */
export const CONTAINERS =
  wordSet(`SequenceConstruct SequenceInsert SequenceErase SequenceAt SplitToSequence ConcatFromSequence Optional
  OptionalGetElement`);

/** Operators that combine values unchanged, with a test for the inputs that are values. */
const JOINS: Readonly<Record<string, (slot: number) => boolean>> = {
  Concat: () => true,
  Pad: (slot) => slot !== 1,
  SequenceConstruct: () => true,
  SequenceInsert: (slot) => slot < 2,
  ScatterElements: (slot) => slot !== 1,
  ScatterND: (slot) => slot !== 1,
  Where: (slot) => slot > 0,
};
/** Further operators that select values. */
const CHOICES = wordSet('GatherElements GatherND Compress ReduceMax ReduceMin TopK Trilu ReverseSequence');

/** Returns whether a node passes on at least some values of this input unchanged. False for shapes and indices. */
export function movesValues({ node, slot }: InputUse): boolean {
  const { opType } = node;
  if (Object.hasOwn(JOINS, opType)) return JOINS[opType]?.(slot) ?? false;
  if (slot !== 0) return false;
  return MOVES.has(opType) || CHOICES.has(opType) || CONTAINERS.has(opType) || isFloatCast(node);
}

/** Element types of a Cast that keep an activation's values. */
const FLOATS: readonly number[] = [DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.BFLOAT16];

/** Returns whether a node casts to a float type. A CastLike counts: arithmeticQuestion decides about one to integers. */
export function isFloatCast(node: Node): boolean {
  if (node.opType === 'CastLike') return true;
  return node.opType === 'Cast' && FLOATS.includes(attribute(node, 'to')?.i ?? 0);
}

/** Operators with two operands that the questions follow. */
export const BINARY = wordSet('Add Sub Mul Div');
