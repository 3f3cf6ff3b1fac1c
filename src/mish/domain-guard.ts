import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, type OnnxDocument, type Scope } from '../onnx/document.js';
import { floatType } from '../onnx/types.js';
import { depthOf } from './activation-kinds.js';
import {
  type ConstantRanges,
  createConstantRanges,
  mayBeConstant,
  type ReadRanges,
} from './constant-ranges.js';
import { leavesDomain } from './domains.js';
import { followRounds } from './follow-rounds.js';
import {
  ALL,
  activationInterval,
  common,
  hasRule,
  intervalOf,
  isAll,
  isBounded,
  isEqual,
  NON_NEGATIVE,
  ZERO,
} from './intervals.js';
import { createOperands, type Operands } from './operands.js';
import { combined, type Layer, type Ranges, rangesOfAny, same, UNKNOWN } from './ranges.js';
import { inputOf, type Site } from './site.js';
import { movesValues, wordSet } from './use-moves.js';
import type { UseVerdict } from './value-flow.js';

// Follows two ranges through the graph, of the original's values and of those after a swap. Where an operator takes all of the
// first and not all of the second, the sites from which the difference comes guard it.

/** Maximum number of nodes examined in calls of functions and in rounds, which nest: a hostile file could have billions. */
const MAX_STEPS = 1e6;
const MAX_CALL_DEPTH = 100;

/** Operators that move values, and that may add zeros. */
const ADDS_ZEROS = wordSet('Trilu Pad');

const REPEATS = wordSet('Loop Scan SequenceMap');
const NONE: readonly Scope[] = [];

/** Returns the sites from which a difference of ranges comes, and the layers between. */
function originsOf(value: Ranges): { readonly sites: readonly Site[]; readonly layers: readonly Node[] } {
  const seen = new Set<Ranges | Site | Layer>([value]);
  for (const origin of seen) if ('from' in origin) for (const from of origin.from) seen.add(from);
  return {
    sites: [...seen].flatMap((origin) => ('kind' in origin ? origin : [])),
    layers: [...seen].flatMap((origin) => ('layer' in origin ? origin.layer : [])),
  };
}

/** The results of a walk: the sites that guard a domain, and the results of calls that were followed before. */
interface Findings {
  readonly found: Map<Node, DomainVerdict>;
  readonly plainCalls: Map<string, readonly Ranges[]>;
}
const createFindings = (): Findings => ({ found: new Map(), plainCalls: new Map() });

/** A run through the main graph, or through a function for one call, or a round of one. Values have numbers. */
interface Frame {
  readonly values: (Ranges | undefined)[];
  /** The states of the bodies that repeat. */
  readonly states: Map<Scope, Map<string, Ranges>>;
  readonly call: Node | undefined;
  /** Number of calls around. */
  readonly depth: number;
  /** Number of bodies around that are walked round by round. */
  readonly rounds: number;
  readonly findings: Findings;
}
const createFrame = (from: Pick<Frame, 'call' | 'depth' | 'rounds' | 'findings'>, count = 0): Frame => ({
  values: new Array<undefined>(count),
  states: new Map(),
  ...from,
});

/** A verdict about a site, with the layers between the site and the operator. */
export interface DomainVerdict extends UseVerdict {
  readonly layers: readonly Node[];
}

/** Layers that count as ones whose weights are not negative. */
export interface PositiveLayers {
  /** Returns the input slot of such a layer's signal; undefined for another node. */
  slotOf(scope: Scope, node: Node): number | undefined;
  /** Takes the layers between a site and an operator whose domain its new values leave. */
  onLead(layers: readonly Node[]): void;
}
const NO_LAYERS: PositiveLayers = { slotOf: () => undefined, onLead: () => {} };

/** A search through a document. */
interface Walk extends Analysis {
  readonly operands: Operands;
  readonly constants: ConstantRanges;
  readonly bySite: ReadonlyMap<Node, Site>;
  /** Nodes that the swap removes. */
  readonly inner: ReadonlySet<Node>;
  /** How far below zero the new activation goes. */
  readonly depth: number;
  readonly positiveLayers: PositiveLayers;
  steps: number;
}

/**
 * Finds the sites that guard an operator's domain: it contains all old values of the site, and not all new ones, which reach `depth`
 * below zero. A verdict says what the site keeps the operator's operand from. `read` has the ranges of constants of several elements,
 * `positiveLayers` tells the layers with weights that are not negative.
 */
export function findDomainGuards(
  document: OnnxDocument,
  analysis: Analysis,
  sites: readonly Pick<Site, 'node' | 'scope' | 'kind' | 'x' | 'inner'>[],
  depth: number,
  positiveLayers = NO_LAYERS,
  read: ReadRanges = new Map(),
): Map<Node, DomainVerdict> {
  if (sites.length === 0) return new Map();
  const run: Walk = {
    ...analysis,
    operands: createOperands(analysis.index),
    constants: createConstantRanges(analysis.index, read),
    bySite: new Map(sites.map((site) => [site.node, site as Site])),
    inner: new Set(sites.flatMap((site) => site.inner ?? [])),
    depth,
    positiveLayers,
    steps: 0,
  };
  const findings = createFindings();
  walk(
    run,
    createFrame({ call: undefined, depth: 0, rounds: 0, findings }, analysis.index.count),
    document.graph,
  );
  return findings.found;
}

const isPresent = (value: Ranges | undefined) => value !== undefined;

function rangesAt(run: Walk, frame: Frame, scope: Scope, name: string): Ranges | undefined {
  const home = run.index.home(scope, name);
  const number = home && run.index.number(home, name);
  return number === undefined ? undefined : frame.values[number];
}
function set(run: Walk, frame: Frame, scope: Scope, name: string | undefined, value: Ranges): void {
  const number = name ? run.index.number(scope, name) : undefined;
  if (number !== undefined) setNumbered(frame, number, value);
}
function setNumbered(frame: Frame, number: number, value: Ranges): void {
  if (number >= 0 && !(isAll(value.was) && isAll(value.is))) frame.values[number] = value;
}
function constantOf({ constants }: Walk, scope: Scope, name: string): Ranges {
  const range = constants(scope, name);
  return range === undefined ? UNKNOWN : same(range);
}

/** Returns the range of a constant input. Most inputs have a producer that outputs no constant, and need no look-up by name. */
function constantAt(run: Walk, scope: Scope, node: Node, slot: number): Ranges {
  const maker = run.index.source(scope, node, slot);
  if (maker !== undefined && !mayBeConstant(maker)) return UNKNOWN;
  return constantOf(run, scope, node.inputs[slot] ?? '');
}

function atSite(run: Walk, frame: Frame, scope: Scope, site: Site, plain: Ranges): Ranges {
  const x = rangesAt(run, frame, scope, inputOf(site)) ?? UNKNOWN;
  const was = common(plain.was, activationInterval(x.was, depthOf(site.kind)));
  const is = activationInterval(x.is, run.depth);
  return { was, is, from: isEqual(was, is) ? [] : [site, x] };
}

function judge(
  run: Walk,
  { findings: { found } }: Frame,
  node: Node,
  scope: Scope,
  inputs: readonly (Ranges | undefined)[],
): void {
  if (run.inner.has(node)) return;
  const [was, is] = [inputs.map((input) => input?.was ?? ALL), inputs.map((input) => input?.is ?? ALL)];
  inputs.forEach((input, slot) => {
    if (input === undefined || input.from.length === 0) return;
    const type = floatType(run.types(scope, node.inputs[slot] ?? '')) ?? 'f32';
    const outside = leavesDomain(node, slot, was, is, type);
    if (outside === undefined) return;
    const why = `it keeps the operand of ${node.opType} from being ${outside}`;
    const { sites, layers } = originsOf(input);
    run.positiveLayers.onLead(layers);
    for (const site of sites) if (!found.has(site.node)) found.set(site.node, { why, node, scope, layers });
  });
}

/** Returns the ranges of what a node passes on from its inputs; undefined if it computes something else. */
function moved(
  run: Walk,
  scope: Scope,
  node: Node,
  inputs: readonly (Ranges | undefined)[],
): Ranges | undefined {
  const all = node.inputs.flatMap((name, slot) => {
    if (!movesValues({ kind: 'input', node, slot, scope })) return [];
    const input = inputs[slot];
    if (input !== undefined) return input;
    // A swap changes no constant: one that was not read stays in the operator's domain, as in the original.
    const range = run.constants(scope, name);
    if (range !== undefined) return same(range);
    return run.operands.constant(scope, name) === undefined ? UNKNOWN : [];
  });
  if (all.length === 0 || (attribute(node, 'reduction')?.s ?? 'none') !== 'none') return undefined;
  return rangesOfAny(ADDS_ZEROS.has(node.opType) ? [...all, same(ZERO)] : all);
}

/** Returns the ranges of the first result; undefined if they are not known. */
function resultOf(run: Walk, frame: Frame, scope: Scope, node: Node): Ranges | undefined {
  if (node.domain !== '' && !hasRule(node)) return undefined;
  const { index } = run;
  const count = node.inputs.length;
  let isFollowed = isBounded(node);
  for (let slot = 0; slot < count && !isFollowed; slot++)
    isFollowed = frame.values[index.input(scope, node, slot)] !== undefined;
  if (!isFollowed) return undefined;
  const inputs: (Ranges | undefined)[] = [];
  for (let slot = 0; slot < count; slot++) inputs[slot] = frame.values[index.input(scope, node, slot)];
  const signal = run.positiveLayers.slotOf(scope, node);
  if (signal !== undefined) return ofLayer(node, inputs[signal]);
  if (!hasRule(node)) return inputs.some(isPresent) ? moved(run, scope, node, inputs) : undefined;
  const all = inputs.map((input, slot) => {
    if (input !== undefined) return input;
    return index.input(scope, node, slot) < 0 ? undefined : constantAt(run, scope, node, slot);
  });
  const before = intervalOf(
    node,
    all.map((input) => input?.was),
    frame.call,
  );
  if (all.every((input) => input === undefined || input.from.length === 0)) return same(before);
  judge(run, frame, node, scope, all);
  const after = intervalOf(
    node,
    all.map((input) => input?.is),
    frame.call,
  );
  return combined(before, after, all);
}

/** Returns the ranges of a layer with weights that are not negative. */
function ofLayer(layer: Node, input: Ranges | undefined): Ranges | undefined {
  if (input === undefined) return undefined;
  const [was, is] = [input.was, input.is].map(({ low }) => (low >= 0 ? NON_NEGATIVE : ALL));
  if (was === undefined || is === undefined || isEqual(was, is)) return was && same(was);
  return { was, is, from: [{ layer }, input] };
}

/** Follows a call of a function. Calls whose arguments have the same ranges, before and after, share one walk. */
function callOf(run: Walk, frame: Frame, scope: Scope, node: Node, callee: Scope): void {
  const args = callee.inputs.map((_, slot) => {
    const name = node.inputs[slot] ?? '';
    return rangesAt(run, frame, scope, name) ?? constantOf(run, scope, name);
  });
  const isPlain = args.every(({ was, is }) => isEqual(was, is)) && node.attributes.length === 0;
  const key = isPlain ? `${callee.path} ${args.map(({ was }) => `${was.low} ${was.high}`).join()}` : '';
  const { plainCalls } = frame.findings;
  let results = plainCalls.get(key);
  if (results === undefined && frame.depth < MAX_CALL_DEPTH) {
    const inside = createFrame({ ...frame, call: node, depth: frame.depth + 1 });
    for (const [slot, arg] of args.entries()) set(run, inside, callee, callee.inputs[slot]?.name, arg);
    walk(run, inside, callee);
    results = callee.outputs.map(({ name }) => rangesAt(run, inside, callee, name) ?? UNKNOWN);
    if (isPlain) plainCalls.set(key, results);
  }
  for (const [slot, result] of (results ?? []).entries()) set(run, frame, scope, node.outputs[slot], result);
}

const bodiesOf = ({ attributes }: Node): readonly Scope[] =>
  attributes.length === 0 ? NONE : attributes.flatMap(({ graphs }) => graphs ?? []);

/** Forgets the ranges of a body's values, of an earlier round. */
function forget(run: Walk, frame: Frame, body: Scope): void {
  for (const node of body.nodes) {
    for (const slot of node.outputs.keys()) {
      const number = run.index.output(body, node, slot);
      if (number >= 0) frame.values[number] = undefined;
    }
    for (const inside of bodiesOf(node)) forget(run, frame, inside);
  }
}

/** Follows the body of an operator that repeats it. */
function repeat(run: Walk, frame: Frame, scope: Scope, node: Node, body: Scope): void {
  const states = frame.states.get(body) ?? new Map<string, Ranges>();
  frame.states.set(body, states);
  let last = createFindings();
  followRounds(scope, node, body, {
    states,
    get: (from, name) => rangesAt(run, frame, from, name) ?? constantOf(run, from, name),
    set: (to, name, value) => {
      const number = run.index.number(to, name);
      if (number !== undefined)
        frame.values[number] = isAll(value.was) && isAll(value.is) ? undefined : value;
    },
    walk(inside) {
      last = createFindings();
      forget(run, frame, inside);
      walk(run, { ...frame, rounds: frame.rounds + 1, findings: last }, inside);
    },
  });
  // The last round finds all that earlier ones found, whose ranges may hold for the first rounds only.
  const { found, plainCalls } = frame.findings;
  for (const [site, verdict] of last.found) if (!found.has(site)) found.set(site, verdict);
  for (const [key, results] of last.plainCalls) plainCalls.set(key, results);
}

function walk(run: Walk, frame: Frame, scope: Scope): void {
  for (const node of scope.nodes) {
    if (frame.depth + frame.rounds > 0 && ++run.steps > MAX_STEPS) return;
    const callee = run.calls.callee(node);
    if (callee !== undefined) {
      callOf(run, frame, scope, node, callee);
      continue;
    }
    const bodies = bodiesOf(node);
    const repeats = node.domain === '' && REPEATS.has(node.opType);
    for (const body of bodies) {
      if (repeats) repeat(run, frame, scope, node, body);
      else walk(run, frame, body);
    }
    if (bodies.length > 0) {
      if (node.domain === '' && node.opType === 'If')
        node.outputs.forEach((output, slot) => {
          const results = bodies.map((body) => {
            const name = body.outputs[slot]?.name ?? '';
            return rangesAt(run, frame, body, name) ?? constantOf(run, body, name);
          });
          set(run, frame, scope, output, rangesOfAny(results));
        });
      continue;
    }
    const site = run.bySite.get(node);
    const plain = resultOf(run, frame, scope, node);
    const result = site === undefined ? plain : atSite(run, frame, scope, site, plain ?? UNKNOWN);
    if (result === undefined) continue;
    const count = node.opType === 'Split' ? node.outputs.length : 1;
    for (let slot = 0; slot < count; slot++) setNumbered(frame, run.index.output(scope, node, slot), result);
  }
}
