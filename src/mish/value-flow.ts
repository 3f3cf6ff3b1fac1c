import { attribute, type Node, nodeLabel, opsetOf, type Scope } from '../onnx/document.js';
import type { Calls } from '../onnx/function-calls.js';
import type { GraphIndex, Use } from '../onnx/graph-index.js';

export type InputUse = Extract<Use, { kind: 'input' }>;

/** What a place that a value reaches decides about it. */
export interface Verdict {
  /** As a sentence fragment for people, without the node. */
  readonly why: string;
  readonly node: Node;
  readonly scope: Scope;
}

/** What is asked of every place that a value reaches. */
export interface Question {
  /**
   * What is known of the value where it starts, as a number above zero. What is decided about a value in one state is decided
   * about it in every higher state; so each value is walked once for all sites, or again only in a higher state.
   */
  readonly start: number;
  /**
   * At a node of ONNX's own or of an unknown domain: a fragment that decides, the state of the results if they are still
   * the value that is followed, or undefined where the search stops.
   */
  readonly at: (use: InputUse, state: number) => string | number | undefined;
  /** The verdict on a value that a Loop's body gives back as its condition. */
  readonly condition?: string;
}

/** Decides about a value by where it goes; undefined where nothing decides. */
export type Follower = (scope: Scope, output: string) => Verdict | undefined;

/** The verdict as a sentence fragment that names the node. */
export function whyOf({ why, node }: Verdict): string {
  return `${why} (${nodeLabel(node)})`;
}

/** What following a value inside one graph or function came to. */
interface Outcome {
  readonly verdict: Verdict | undefined;
  /** The outputs of the function that the value reaches, each with the last step to it. */
  readonly exits: ReadonlyMap<number, Step>;
  /** Everything that was walked. */
  readonly walked: readonly Step[];
}

const NOWHERE: Outcome = { verdict: undefined, exits: new Map(), walked: [] };
/** Uses that are looked at for one model: all there are, unless somebody has made it so that they come again and again. */
const MOST_STEPS = 4e6;
const DEEPEST_CALL = 200; // functions that call functions; a file may claim more than the stack holds

/** What is settled about values, by their number: up to which state nothing decides, and from which state on what does. */
function createLedger(count: number) {
  const freeUpTo = new Float32Array(count); // 0 is that it is not settled
  const decidedFrom = new Float32Array(count);
  const verdicts = new Int32Array(count);
  const all: Verdict[] = [];
  return {
    /** The verdict; null where there is none, undefined where it is not settled. */
    get(number: number, state: number): Verdict | null | undefined {
      if ((freeUpTo[number] ?? 0) >= state) return null;
      const from = decidedFrom[number] ?? 0;
      return from > 0 && state >= from ? all[verdicts[number] ?? -1] : undefined;
    },
    free(number: number, state: number): void {
      freeUpTo[number] = Math.max(freeUpTo[number] ?? 0, state);
    },
    decide(number: number, state: number, verdict: Verdict): void {
      const from = decidedFrom[number] ?? 0;
      if (from > 0 && from <= state) return;
      decidedFrom[number] = state;
      if (all.at(-1) !== verdict) all.push(verdict);
      verdicts[number] = all.length - 1;
    },
  };
}
type Ledger = ReturnType<typeof createLedger>;

/** Prepares to follow values through a document, into the functions it calls and out of them. */
export function createFollower(question: Question, index: GraphIndex, calls: Calls): Follower {
  const summaries = new Map<Scope, Map<string, Outcome>>();
  /** So that a chain of sites is not walked once for each. */
  const settled = createLedger(index.count);
  /** The same, with what becomes of a function's results at its calls. */
  const everywhere = createLedger(index.count);
  let depth = 0;
  let steps = 0;

  const numberOf = ({ scope, name }: Place) => index.number(scope, name) ?? -1;
  const free = (ledger: Ledger, walked: readonly Step[]) => {
    for (const step of walked) ledger.free(numberOf(step), step.state);
  };

  /** What comes of an argument in a function; worked out once for all calls. */
  function inside(callee: Scope, slot: number, state: number): Outcome {
    const known = summaries.get(callee) ?? new Map<string, Outcome>();
    summaries.set(callee, known);
    const name = callee.inputs[slot]?.name;
    if (name === undefined || depth > DEEPEST_CALL) return NOWHERE;
    const key = `${slot} ${state}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    known.set(key, NOWHERE); // what a function that calls itself, which ONNX forbids, finds here
    depth++;
    const outcome = follow({ scope: callee, name, state, from: undefined }, settled);
    depth--;
    known.set(key, outcome);
    return outcome;
  }

  /** Walks forward from a value, without leaving the function it is in. */
  function follow(start: Step, known: Ledger): Outcome {
    const queue: Step[] = [start];
    const walked: Step[] = [];
    const seen = new Map<Scope, Map<string, number>>();
    const isNew = ({ scope, name, state }: Step): boolean => {
      const names = seen.get(scope) ?? new Map<string, number>();
      if ((names.get(name) ?? 0) >= state) return false;
      seen.set(scope, names.set(name, state));
      return true;
    };
    const exits = new Map<number, Step>();
    for (const step of queue) {
      const { name, state } = step;
      if (name === '' || (queue.length > 1 && !isNew(step))) continue;
      walked.push(step);
      const number = numberOf(step);
      let before = known.get(number, state);
      if (before === undefined) before = settled.get(number, state);
      const next = before === null ? [] : (before ?? onward(step, exits));
      if (!Array.isArray(next)) {
        for (let at: Step | undefined = step; at !== undefined; at = at.from)
          known.decide(numberOf(at), at.state, next);
        return { verdict: next, exits, walked };
      }
      for (const place of next) queue.push({ ...place, from: step });
    }
    // Where a function can be left, its callers have a say as well.
    if (exits.size === 0) free(known, walked);
    return { verdict: undefined, exits, walked };
  }

  /** The verdict on a value, or where it goes next; the outputs of a function that it reaches join `exits`. */
  function onward(step: Step, exits: Map<number, Step>): Verdict | Moved[] {
    const { scope, name, state } = step;
    const places: Moved[] = [];
    for (const use of index.uses(scope, name)) {
      if (use.kind === 'output') {
        if (use.scope.kind === 'function' && (exits.get(use.slot)?.state ?? 0) < state)
          exits.set(use.slot, step);
        const { owner } = use.scope;
        if (question.condition !== undefined && owner !== undefined && isCondition(owner, use.slot))
          return { why: question.condition, node: owner, scope: use.scope.parent ?? use.scope };
        for (const place of leave(use.scope, use.slot)) places.push({ ...place, state });
        continue;
      }
      const { node, slot, scope: from } = use;
      if (++steps > MOST_STEPS)
        return { why: 'its result goes too many ways to be followed', node, scope: from };
      const callee = calls.callee(node);
      const found = callee === undefined || node.domain !== '' ? question.at(use, state) : undefined;
      if (typeof found === 'string') return { why: found, node, scope: from };
      if (callee !== undefined) {
        const called = inside(callee, slot, state);
        if (called.verdict !== undefined) return called.verdict;
        for (const [exit, last] of called.exits)
          places.push({ scope: from, name: node.outputs[exit] ?? '', state: last.state });
        continue;
      }
      for (const place of enter(node, slot)) places.push({ ...place, state });
      // Further outputs are indices, masks and statistics.
      const outputs =
        found === undefined ? [] : node.opType === 'Split' ? node.outputs : node.outputs.slice(0, 1);
      for (const output of outputs)
        places.push({ scope: from, name: output, state: Math.fround(found ?? state) });
    }
    return places;
  }

  return (scope, output) => {
    const start = Math.fround(question.start);
    const before = everywhere.get(index.number(scope, output) ?? -1, start);
    if (before !== undefined) return before ?? undefined;
    const queue: Step[] = [{ scope, name: output, state: start, from: undefined }];
    const seen = new Map<string, number>();
    const all: Step[] = [];
    for (const place of queue) {
      const { verdict, exits, walked } = follow(place, everywhere);
      if (verdict !== undefined) return verdict;
      for (const step of walked) all.push(step);
      // A function's result is followed at each of its calls.
      const { root } = place.scope;
      for (const [exit, from] of exits) {
        const { state } = from;
        const key = `${root.path}\0${exit}`;
        if ((seen.get(key) ?? 0) >= state) continue;
        seen.set(key, state);
        for (const call of calls.callers(root)) {
          queue.push({ scope: call.scope, name: call.node.outputs[exit] ?? '', state, from });
        }
      }
    }
    free(everywhere, all);
    return undefined;
  };
}

export interface Place {
  readonly scope: Scope;
  readonly name: string;
}

interface Moved extends Place {
  readonly state: number;
}

/** A place on the way, and the one before it. */
interface Step extends Moved {
  readonly from: Step | undefined;
}

function isCondition({ domain, opType }: Node, slot: number): boolean {
  return domain === '' && opType === 'Loop' && slot === 0;
}
/** Where output `slot` of a nested graph comes out: of its node, and at the head of the next iteration. */
export function leave(scope: Scope, slot: number): Place[] {
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

/** Where input `slot` of a Loop, Scan or SequenceMap goes in. */
export function enter(node: Node, slot: number): Place[] {
  if (node.domain !== '' || !/^(Loop|Scan|SequenceMap)$/.test(node.opType)) return [];
  return node.attributes
    .flatMap(({ graphs }) => graphs ?? [])
    .map((body) => {
      // Up to opset 8 a Scan's first input is the lengths of the sequences.
      const shift = node.opType === 'Scan' && opsetOf(body) < 9 ? 1 : 0;
      return { scope: body, name: body.inputs[slot - shift]?.name ?? '' };
    });
}
