import { attribute, type Node, type Scope } from '../onnx/document.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';
import { DataType } from '../onnx/types.js';

const LOOP_CONDITION = 'its result is the condition of a Loop';

const words = (text: string) => new Set(text.trim().split(/\s+/));

/** Integer element types. */
const INTEGERS: readonly number[] = [
  DataType.UINT8,
  DataType.INT8,
  DataType.UINT16,
  DataType.INT16,
  DataType.INT32,
  DataType.INT64,
  DataType.UINT32,
  DataType.UINT64,
  DataType.UINT4,
  DataType.INT4,
  DataType.UINT2,
  DataType.INT2,
];

/** Operators that move values without changing them, so that a scale calibrated behind them covers the site too. */
const MOVES =
  words(`Identity Reshape Flatten Squeeze Unsqueeze Transpose Dropout MaxPool GlobalMaxPool Slice Split
  Expand Tile Gather DepthToSpace SpaceToDepth`);

/** What arithmetic on a few numbers is made of. Layers with weights are not in it: behind them is another signal. */
const ARITHMETIC = new Set([
  ...MOVES,
  ...words(`Abs Add Ceil Clip Concat Div Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Relu ReduceMax ReduceMin
    ReduceProd ReduceSum Round Sign Sqrt Sub Sum Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Where`),
]);

/** Inputs that are a shape, a size or an index although their type may be float. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  OneHot: [0, 1],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
};

/**
 * Why a Relu's result is a number the graph calculates with rather than an activation: it reaches a cast
 * to an integer, a shape or index, a trip count or a condition, through arithmetic only. Else undefined.
 */
export function arithmeticUse(index: GraphIndex, scope: Scope, output: string): string | undefined {
  return follow(index, scope, output, ARITHMETIC, ({ node, slot }) => {
    if (node.domain !== '') return undefined;
    if (node.opType === 'Cast') {
      const to = attribute(node, 'to')?.i ?? 0;
      if (INTEGERS.includes(to)) return 'its result is cast to an integer';
    }
    if (node.opType === 'If') return 'its result decides an If';
    if (node.opType === 'Loop' && slot === 0) return 'its result is the trip count of a Loop';
    if (node.opType === 'Loop' && slot === 1) return LOOP_CONDITION;
    if (SIZES[node.opType]?.includes(slot)) return `its result is a size or index of ${node.opType}`;
    return undefined;
  });
}

/** Why a site is tied to a quantisation: a scale calibrated for the old activation follows it. Else undefined. */
export function quantizedUse(index: GraphIndex, scope: Scope, output: string): string | undefined {
  return follow(index, scope, output, MOVES, ({ node }) =>
    /^(Dynamic)?QuantizeLinear$/.test(node.opType)
      ? 'it feeds QuantizeLinear, whose scale was calibrated for the old activation'
      : undefined,
  );
}

/** Walks forward from a value through the given operators, until `judge` says something of a use. */
function follow(
  index: GraphIndex,
  scope: Scope,
  output: string,
  through: ReadonlySet<string>,
  judge: (use: Extract<Use, { kind: 'input' }>) => string | undefined,
): string | undefined {
  const queue: { scope: Scope; name: string }[] = [{ scope, name: output }];
  const seen = new Map<Scope, Set<string>>();
  for (const value of queue) {
    const names = seen.get(value.scope) ?? new Set();
    if (names.has(value.name)) continue;
    seen.set(value.scope, names.add(value.name));
    for (const use of index.uses(value.scope, value.name)) {
      if (use.kind === 'output') {
        const outer = leave(use.scope, use.slot);
        if (outer === 'condition') return through === ARITHMETIC ? LOOP_CONDITION : undefined;
        if (outer !== undefined) queue.push(outer);
        continue;
      }
      const verdict = judge(use);
      if (verdict !== undefined) return verdict;
      const { node } = use;
      const passes = node.domain === '' && (through.has(node.opType) || isArithmeticCast(node, through));
      if (!passes) continue;
      for (const name of node.outputs) if (name !== '') queue.push({ scope: use.scope, name });
    }
  }
  return undefined;
}

/** Where output `slot` of a nested graph comes out. */
function leave(scope: Scope, slot: number): { scope: Scope; name: string } | 'condition' | undefined {
  const { parent, owner } = scope;
  if (parent === undefined || owner === undefined) return undefined;
  if (owner.opType === 'Loop' && slot === 0) return 'condition';
  const name = owner.outputs[owner.opType === 'Loop' ? slot - 1 : slot] ?? '';
  return name === '' ? undefined : { scope: parent, name };
}

/** A cast to bool or to another float is arithmetic as well; to an integer has been judged already. */
function isArithmeticCast(node: Node, through: ReadonlySet<string>): boolean {
  return through === ARITHMETIC && node.opType === 'Cast';
}
