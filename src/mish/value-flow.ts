import { attribute, type Node, nodeLabel, opsetOf, type Scope } from '../onnx/document.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';

export type InputUse = Extract<Use, { kind: 'input' }>;

/** Decision about a value by a node that it reaches. */
export interface UseVerdict {
  /** The reason as a sentence fragment for humans, without the node. */
  readonly why: string;
  readonly node: Node;
  readonly scope: Scope;
}

/** Rules of a search along the uses of a value. */
export interface Question {
  /**
   * State of the value at the start, a number above zero. What decides for a state decides for every higher state,
   * too. So a value is walked once for all sites, and again only in a higher state.
   */
  readonly start: number;
  /**
   * Examines a use, except a call of a function. Returns the deciding reason, the state of the node's results to continue
   * with, or undefined to stop.
   */
  readonly at: (use: InputUse, state: number) => string | number | undefined;
  /** The reason for a value that a Loop's body returns as its condition. */
  readonly condition?: string;
}

/** Decides about a value by its uses; undefined if nothing decides. */
export type Follower = (scope: Scope, output: string) => UseVerdict | undefined;

/** Formats a verdict as a sentence fragment with the node. */
export function whyOf({ why, node }: UseVerdict): string {
  return `${why} (${nodeLabel(node)})`;
}

/** Result of following a value inside a function or the main graph. */
interface Outcome {
  readonly verdict: UseVerdict | undefined;
  /** The outputs of the function that the value reaches, each with the last step to it. */
  readonly exits: ReadonlyMap<number, Step>;
  /** All steps of the walk. */
  readonly walked: readonly Step[];
}

/** A walk in progress: the steps to take, and the reached outputs of the function. */
interface Walk {
  readonly queue: Step[];
  exits: Map<number, Step> | undefined;
}

const NO_EXITS: ReadonlyMap<number, Step> = new Map();
const NOWHERE: Outcome = { verdict: undefined, exits: NO_EXITS, walked: [] };
/** Maximum number of uses examined per model. Only a hostile model has more. */
const MAX_STEPS = 4e6;
const MAX_CALL_DEPTH = 200; // depth of function calls; a hostile file could overflow the stack

/** Creates a store of decisions by value number: the highest state without a verdict, and the lowest state with one. */
function createLedger(count: number) {
  // Allocated with the first decision, since most documents need few.
  let freeUpTo: Float32Array | undefined; // 0: not settled
  let decided: { readonly from: Float32Array; readonly verdicts: Int32Array } | undefined;
  const all: UseVerdict[] = [];
  return {
    /** Returns the verdict; null for none, undefined if the value is not settled. */
    get(number: number, state: number): UseVerdict | null | undefined {
      if (freeUpTo !== undefined && (freeUpTo[number] ?? 0) >= state) return null;
      const from = decided?.from[number] ?? 0;
      return from > 0 && state >= from ? all[decided?.verdicts[number] ?? -1] : undefined;
    },
    free(number: number, state: number): void {
      freeUpTo ??= new Float32Array(count);
      if ((freeUpTo[number] ?? 0) < state) freeUpTo[number] = state;
    },
    decide(number: number, state: number, verdict: UseVerdict): void {
      decided ??= { from: new Float32Array(count), verdicts: new Int32Array(count) };
      const from = decided.from[number] ?? 0;
      if (from > 0 && from <= state) return;
      decided.from[number] = state;
      if (all.at(-1) !== verdict) all.push(verdict);
      decided.verdicts[number] = all.length - 1;
    },
  };
}
type Ledger = ReturnType<typeof createLedger>;

/**
 * Creates a follower of values through a document, into called functions and out of them. Not split because its steps
 * call each other and share the ledgers, the depth and the number of steps.
 */
export function createFollower(question: Question, index: GraphIndex, calls: Calls): Follower {
  const summaries = new Map<Scope, Map<string, Outcome>>();
  /** Decisions inside functions, so that a chain of sites is walked once. */
  const settled = createLedger(index.count);
  /** Decisions that include the uses of a function's results at its calls. */
  const everywhere = createLedger(index.count);
  let depth = 0;
  let steps = 0;

  const stepTo = (scope: Scope, name: string, state: number, from?: Step): Step => {
    const number = name === '' ? undefined : index.number(scope, name);
    return { scope, state, from, number: number ?? -1 };
  };
  const free = (ledger: Ledger, walked: readonly Step[]) => {
    for (const { number, state } of walked) ledger.free(number, state);
  };

  /** Follows an argument inside a function, once for all calls. */
  function inside(callee: Scope, slot: number, state: number): Outcome {
    const known = summaries.get(callee) ?? new Map<string, Outcome>();
    summaries.set(callee, known);
    const name = callee.inputs[slot]?.name;
    if (name === undefined || depth > MAX_CALL_DEPTH) return NOWHERE;
    const key = `${slot} ${state}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    known.set(key, NOWHERE); // for a recursive function, which ONNX forbids
    depth++;
    const outcome = follow(stepTo(callee, name, state), settled);
    depth--;
    known.set(key, outcome);
    return outcome;
  }

  /** Follows a value inside its function. */
  function follow(start: Step, known: Ledger): Outcome {
    const walk: Walk = { queue: [start], exits: undefined };
    const { queue } = walk;
    const walked: Step[] = [];
    /** The states in which values were met, by their number. */
    let seen: Map<number, number> | undefined;
    for (const step of queue) {
      const { number, state } = step;
      if (number < 0) continue;
      if (queue.length > 1) {
        seen ??= new Map();
        if ((seen.get(number) ?? 0) >= state) continue;
        seen.set(number, state);
      }
      walked.push(step);
      let verdict = known.get(number, state);
      if (verdict === undefined && known !== settled) verdict = settled.get(number, state);
      if (verdict === undefined) verdict = onward(step, walk);
      if (verdict) {
        for (let at: Step | undefined = step; at !== undefined; at = at.from)
          if (at.number >= 0) known.decide(at.number, at.state, verdict);
        return { verdict, exits: walk.exits ?? NO_EXITS, walked };
      }
    }
    // If the value leaves the function, the function's callers decide as well.
    if (walk.exits === undefined) free(known, walked);
    return { verdict: undefined, exits: walk.exits ?? NO_EXITS, walked };
  }

  /** Decides about a value. Otherwise adds the next steps, and the reached outputs of the function, to the walk. */
  function onward(step: Step, walk: Walk): UseVerdict | undefined {
    const { number, state } = step;
    const go = (to: Scope, next: string, as = state) => walk.queue.push(stepTo(to, next, as, step));
    for (const use of index.usesOf(number)) {
      if (use.kind === 'output') {
        if (use.scope.kind === 'function') {
          walk.exits ??= new Map();
          if ((walk.exits.get(use.slot)?.state ?? 0) < state) walk.exits.set(use.slot, step);
        }
        const { owner } = use.scope;
        if (question.condition !== undefined && owner !== undefined && isCondition(owner, use.slot))
          return { why: question.condition, node: owner, scope: use.scope.parent ?? use.scope };
        for (const place of leave(use.scope, use.slot)) go(place.scope, place.name);
        continue;
      }
      const { node, slot, scope: from } = use;
      if (++steps > MAX_STEPS) return { why: 'its result has too many uses to follow', node, scope: from };
      const callee = calls.callee(node);
      const found = callee === undefined || node.domain !== '' ? question.at(use, state) : undefined;
      if (typeof found === 'string') return { why: found, node, scope: from };
      if (callee !== undefined) {
        const called = inside(callee, slot, state);
        if (called.verdict !== undefined) return called.verdict;
        for (const [exit, last] of called.exits) go(from, node.outputs[exit] ?? '', last.state);
        continue;
      }
      for (const place of enter(node, slot)) go(place.scope, place.name);
      if (found === undefined) continue;
      // Further outputs are indices, masks and statistics.
      const count = node.opType === 'Split' ? node.outputs.length : 1;
      const next = Math.fround(found);
      for (let at = 0; at < count; at++)
        walk.queue.push({ scope: from, state: next, from: step, number: index.output(from, node, at) });
    }
    return undefined;
  }

  return (scope, output) => {
    const state = Math.fround(question.start);
    const start = stepTo(scope, output, state);
    const before = everywhere.get(start.number, state);
    if (before !== undefined) return before ?? undefined;
    const queue: Step[] = [start];
    const seen = new Map<string, number>();
    const all: Step[] = [];
    for (const place of queue) {
      const { verdict, exits, walked } = follow(place, everywhere);
      if (verdict !== undefined) return verdict;
      if (exits.size === 0 && queue.length === 1) return undefined; // `follow` has settled the steps
      for (const step of walked) all.push(step);
      // A function's result is followed at each of its calls.
      const { root } = place.scope;
      for (const [exit, from] of exits) {
        const key = `${root.path}\0${exit}`;
        if ((seen.get(key) ?? 0) >= from.state) continue;
        seen.set(key, from.state);
        for (const call of calls.callers(root))
          queue.push(stepTo(call.scope, call.node.outputs[exit] ?? '', from.state, from));
      }
    }
    free(everywhere, all);
    return undefined;
  };
}

export interface ScopedValue {
  readonly scope: Scope;
  readonly name: string;
}

/** A step of a walk: the number of the value (-1 without one), its state, and the previous step. */
interface Step {
  readonly scope: Scope;
  readonly state: number;
  readonly number: number;
  readonly from: Step | undefined;
}

function isCondition({ domain, opType }: Node, slot: number): boolean {
  return domain === '' && opType === 'Loop' && slot === 0;
}

/** Returns the values that receive output `slot` of a nested graph: an output of its node, an input of the next iteration. */
export function leave(scope: Scope, slot: number): ScopedValue[] {
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

const WITH_BODY = /^(Loop|Scan|SequenceMap)$/;
const NO_PLACES: readonly ScopedValue[] = [];

/** Returns the values of the nested graph that receive input `slot` of a Loop, Scan or SequenceMap. */
export function enter(node: Node, slot: number): readonly ScopedValue[] {
  if (!WITH_BODY.test(node.opType) || node.domain !== '') return NO_PLACES;
  return node.attributes
    .flatMap(({ graphs }) => graphs ?? [])
    .map((body) => {
      // Up to opset 8 a Scan's first input holds the sequence lengths.
      const shift = node.opType === 'Scan' && opsetOf(body) < 9 ? 1 : 0;
      return { scope: body, name: body.inputs[slot - shift]?.name ?? '' };
    });
}
