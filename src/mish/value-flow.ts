import { attribute, type Node, opsetOf, type Scope } from '../onnx/document.js';
import type { ElementTypes } from '../onnx/element-types.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';
import { DataType } from '../onnx/types.js';

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

/** Operators that put values beside others, under one scale. */
const JOINS = words('Concat Pad');

/** What arithmetic on a few numbers is made of. Layers with weights are not in it: behind them is another signal. */
const ARITHMETIC = new Set([
  ...MOVES,
  ...words(`Abs Add Ceil Clip Concat Div Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Relu ReduceMax ReduceMin
    ReduceProd ReduceSum Round Sign Sqrt Sub Sum Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Where`),
]);

/** Inputs that are a shape, a size or an index, or choose indices, although their type may be float or bool. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  Compress: [1],
  NonZero: [0],
  OneHot: [0, 1],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
};

/** Says where the result of a site goes. */
export interface Flow {
  /**
   * Why a Relu's result is a number the graph calculates with rather than an activation: it reaches a cast
   * to an integer, a shape or index, a trip count or a condition, through arithmetic only. Else undefined.
   */
  arithmeticUse(scope: Scope, output: string): string | undefined;
  /** Why a site is tied to a quantisation: a scale calibrated for the old activation follows it. Else undefined. */
  quantizedUse(scope: Scope, output: string): string | undefined;
}

/** Prepares to follow values through a document, into the functions it calls and out of them. */
export function createFlow(index: GraphIndex, types: ElementTypes, calls: Calls): Flow {
  const arithmetic: Question = {
    through: (node) => ARITHMETIC.has(node.opType) || node.opType === 'Cast' || node.opType === 'CastLike',
    judge: (use) => arithmeticVerdict(use, types),
    condition: 'its result is the condition of a Loop',
  };
  const quantized: Question = {
    through: (node) => MOVES.has(node.opType) || JOINS.has(node.opType),
    judge: ({ node }) =>
      node.opType === 'QuantizeLinear' // DynamicQuantizeLinear chooses its scale at run time
        ? 'it feeds QuantizeLinear, whose scale was calibrated for the old activation'
        : undefined,
    condition: undefined,
  };
  return {
    arithmeticUse: createFollower(arithmetic, index, calls),
    quantizedUse: createFollower(quantized, index, calls),
  };
}

type InputUse = Extract<Use, { kind: 'input' }>;

function arithmeticVerdict({ node, slot, scope }: InputUse, types: ElementTypes): string | undefined {
  const { opType } = node;
  if (node.domain !== '') return undefined;
  if (opType === 'Cast' && INTEGERS.includes(attribute(node, 'to')?.i ?? 0)) return CAST;
  if (opType === 'CastLike' && slot === 0 && INTEGERS.includes(types(scope, node.inputs[1] ?? '') ?? 0))
    return CAST;
  if (opType === 'If') return 'its result decides an If';
  if (opType === 'Loop' && slot === 0) return 'its result is the trip count of a Loop';
  if (opType === 'Loop' && slot === 1) return 'its result is the condition of a Loop';
  if (Object.hasOwn(SIZES, opType) && SIZES[opType]?.includes(slot))
    return `its result is a size or index of ${opType}`;
  return undefined;
}

const CAST = 'its result is cast to an integer';

/** What is asked of every place that a value reaches. */
interface Question {
  /** Whether the result of an operator of ONNX's own is still the value that is followed. */
  readonly through: (node: Node) => boolean;
  readonly judge: (use: InputUse) => string | undefined;
  /** The verdict on a value that a Loop's body gives back as its condition. */
  readonly condition: string | undefined;
}

/** What following a value inside one graph or function came to. */
interface Outcome {
  readonly verdict: string | undefined;
  /** The outputs of the function that the value reaches, each with the last step to it. */
  readonly exits: ReadonlyMap<number, Step>;
  /** Everything that was walked. */
  readonly walked: readonly Step[];
}

const NOWHERE: Outcome = { verdict: undefined, exits: new Map(), walked: [] };
/** Uses that are looked at for one model: all there are, unless somebody has made it so that they come again and again. */
const MOST_STEPS = 4e6;
const DEEPEST_CALL = 200; // functions that call functions; a file may claim more than the stack holds

function createFollower(question: Question, index: GraphIndex, calls: Calls) {
  const summaries = new Map<Scope, Outcome[]>();
  /** The verdicts by their number, of which there are few; 0 is that it is not settled, '' that there is none. */
  const wordings: (string | undefined)[] = [undefined, ''];
  /** Verdicts that are final, so that a chain of sites is not walked once for each. */
  const settled: Verdicts = new Uint8Array(index.count);
  /** The same, with what becomes of a function's results at its calls. */
  const everywhere: Verdicts = new Uint8Array(index.count);
  let depth = 0;
  let steps = 0;

  function settle(verdicts: Verdicts, { scope, name }: Place, verdict: string): void {
    const number = index.number(scope, name);
    if (number === undefined) return;
    const known = wordings.indexOf(verdict);
    verdicts[number] = known < 0 ? wordings.push(verdict) - 1 : known;
  }

  /** What comes of an argument in a function; worked out once for all calls. */
  function inside(callee: Scope, slot: number): Outcome {
    const known = summaries.get(callee) ?? [];
    summaries.set(callee, known);
    const name = callee.inputs[slot]?.name;
    if (name === undefined || depth > DEEPEST_CALL) return NOWHERE;
    if (known[slot] === undefined) {
      known[slot] = NOWHERE; // what a function that calls itself, which ONNX forbids, finds here
      depth++;
      known[slot] = follow({ scope: callee, name, from: undefined }, settled);
      depth--;
    }
    return known[slot];
  }

  /** Walks forward from a value, without leaving the function it is in. */
  function follow(start: Step, known: Verdicts): Outcome {
    const queue: Step[] = [start];
    const walked: Step[] = [];
    const seen = new Map<Scope, Set<string>>();
    const exits = new Map<number, Step>();
    for (const step of queue) {
      const { scope, name } = step;
      const names = seen.get(scope) ?? new Set();
      if (name === '' || names.has(name)) continue;
      seen.set(scope, names.add(name));
      walked.push(step);
      const number = index.number(scope, name) ?? -1;
      const verdict = wordings[known[number] || settled[number] || 0];
      const next = verdict === undefined ? onward(step, exits) : verdict === '' ? [] : verdict;
      if (typeof next === 'string') {
        for (let at: Step | undefined = step; at !== undefined; at = at.from) settle(known, at, next);
        return { verdict: next, exits, walked };
      }
      for (const place of next) queue.push({ ...place, from: step });
    }
    // Where a function can be left, its callers have a say as well.
    if (exits.size === 0) for (const step of walked) settle(known, step, '');
    return { verdict: undefined, exits, walked };
  }

  /** The verdict on a value, or where it goes next; the outputs of a function that it reaches join `exits`. */
  function onward(step: Step, exits: Map<number, Step>): string | Place[] {
    const { scope, name } = step;
    const places: Place[] = [];
    for (const use of index.uses(scope, name)) {
      if (++steps > MOST_STEPS) return 'its result goes too many ways to be followed';
      if (use.kind === 'output') {
        if (use.scope.kind === 'function') exits.set(use.slot, step);
        if (question.condition !== undefined && isCondition(use.scope, use.slot)) return question.condition;
        places.push(...leave(use.scope, use.slot));
        continue;
      }
      const { node, slot } = use;
      const callee = calls.callee(node);
      const called = callee && inside(callee, slot);
      const verdict = called === undefined ? question.judge(use) : called.verdict;
      if (verdict !== undefined) return verdict;
      for (const place of enter(node, slot)) places.push(place);
      if (called !== undefined) {
        for (const exit of called.exits.keys())
          places.push({ scope: use.scope, name: node.outputs[exit] ?? '' });
      } else if (node.domain === '' && question.through(node)) {
        for (const output of node.outputs) places.push({ scope: use.scope, name: output });
      }
    }
    return places;
  }

  return (scope: Scope, output: string): string | undefined => {
    const queue: Step[] = [{ scope, name: output, from: undefined }];
    const seen = new Set<string>();
    const all: Step[] = [];
    for (const place of queue) {
      const { verdict, exits, walked } = follow(place, everywhere);
      if (verdict !== undefined) return verdict;
      for (const step of walked) all.push(step);
      // A function's result is followed at each of its calls.
      const { root } = place.scope;
      for (const [exit, from] of exits) {
        const key = `${root.path}\0${exit}`;
        if (seen.has(key)) continue;
        seen.add(key);
        for (const call of calls.callers(root)) {
          queue.push({ scope: call.scope, name: call.node.outputs[exit] ?? '', from });
        }
      }
    }
    for (const step of all) settle(everywhere, step, '');
    return undefined;
  };
}

/** The number of a verdict by that of the value. */
type Verdicts = Uint8Array;

interface Place {
  readonly scope: Scope;
  readonly name: string;
}

/** A place on the way, and the one before it. */
interface Step extends Place {
  readonly from: Step | undefined;
}

function isCondition({ owner }: Scope, slot: number): boolean {
  return owner?.domain === '' && owner.opType === 'Loop' && slot === 0;
}

/** Where output `slot` of a nested graph comes out: of its node, and at the head of the next iteration. */
function leave(scope: Scope, slot: number): Place[] {
  const { parent, owner } = scope;
  if (parent === undefined || owner === undefined) return [];
  const isLoop = owner.opType === 'Loop';
  const places = [{ scope: parent, name: owner.outputs[isLoop ? slot - 1 : slot] ?? '' }];
  const carried =
    isLoop || owner.opType === 'Scan'
      ? scope.inputs.length - (isLoop ? 1 : (attribute(owner, 'num_scan_inputs')?.i ?? 0))
      : 0;
  if (slot < carried) places.push({ scope, name: scope.inputs[isLoop ? slot + 1 : slot]?.name ?? '' });
  return places;
}

/** Where input `slot` of a Loop or Scan goes in. */
function enter(node: Node, slot: number): Place[] {
  if (node.domain !== '' || (node.opType !== 'Loop' && node.opType !== 'Scan')) return [];
  return node.attributes
    .flatMap(({ graphs }) => graphs ?? [])
    .map((body) => {
      // Up to opset 8 a Scan's first input is the lengths of the sequences.
      const shift = node.opType === 'Scan' && opsetOf(body) < 9 ? 1 : 0;
      return { scope: body, name: body.inputs[slot - shift]?.name ?? '' };
    });
}
