// Zeros that a Pad adds before a MaxPool. ONNX Runtime 1.20 to 1.31 fuses the two (its optimiser Pad_Fusion), and a MaxPool
// ignores its own padding. Where all other values are at least zero, as after ReLU, that changes nothing.
import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { type GraphIndex, indexGraphs, type Use } from '../onnx/graph-index.js';
import { depthOf } from './activation-kinds.js';
import type { NewActivation } from './new-activation.js';
import { createOperands, keepsSign, type Operands } from './operands.js';
import type { Site } from './site.js';
import { wordSet } from './use-moves.js';

/** Operators that ONNX Runtime removes before it fuses. */
const REMOVED = wordSet('Identity Dropout');
/** Operators that it moves out of the way. */
const MOVED = wordSet('Transpose Cast');
/** Operators that may be removed or moved, by their operands. */
const PERHAPS = new Set([
  ...[...REMOVED, ...MOVED],
  ...wordSet(
    'CastLike Add Sub Mul Div Expand Reshape Flatten Squeeze Unsqueeze QuantizeLinear DequantizeLinear',
  ),
]);
/** Maximum number of operators between a Pad and a MaxPool. */
const MAX_PASSED = 8;
/** Maximum number of inputs of a Pad without axes; ONNX Runtime fuses no other. */
const MAX_INPUTS = 3;

/** Returns the note on MaxPools behind padding with zeros that negative values of new activations reach; none for an activation without such values. */
export function noteOnPadding(
  { scopes }: OnnxDocument,
  { index }: Analysis,
  sites: readonly Pick<Site, 'scope' | 'node'>[],
  { name, label, depth = depthOf(name) }: NewActivation,
): string[] {
  if (depth === 0) return [];
  const operands = createOperands(index);
  const swapped = new Set(sites.map(({ node }) => node));
  /** Nodes that are looked at already. None leads to a site, since the search ends at the first that does. */
  const seen = new Set<Node>();
  /** Returns whether a value is at least zero because of a swapped activation. */
  const isFromSite = (from: Scope, name: string): boolean => {
    const open: [Scope, string][] = [[from, name]];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const [scope, name] = at;
      const home = index.home(scope, name);
      const node = home && index.producer(home, name);
      if (home === undefined || node === undefined || seen.has(node)) continue;
      seen.add(node);
      const isPassed = keepsSign(node) && !swapped.has(node);
      if (isPassed) open.push([home, node.inputs[0] ?? '']);
      else if (!operands.isNonNegative(home, name)) continue;
      else if (swapped.has(node)) return true;
      else for (const input of node.inputs) open.push([home, input]);
    }
    return false;
  };
  for (const scope of scopes) {
    for (const pad of scope.nodes) {
      const pool = addsZeros(pad, scope, operands) ? fusedPool(pad, scope, index) : undefined;
      if (pool !== undefined && isFromSite(scope, pad.inputs[0] ?? '')) return [noteOn(pool, label)];
    }
  }
  return [];
}

const noteOn = (pool: Node, label: string): string =>
  `ONNX Runtime 1.20 to 1.31 drops the zeros of the Pad before MaxPool '${nodeLabel(pool)}', which negative ${label} values need at the edge; ` +
  "1.32 keeps them, as earlier versions do with the session option optimization.disable_specified_optimizers = 'Pad_Fusion'";

/**
 * Returns a MaxPool whose result ONNX Runtime may change when it fuses the Pad before it, in a model as it will be opened:
 * a value below zero may be beside the zeros. Undefined if there is none.
 */
export function poolInNeed(document: OnnxDocument): Node | undefined {
  const has = (type: string) => document.scopes.some(({ nodes }) => nodes.some((one) => one.opType === type));
  if (!has('Pad') || !has('MaxPool')) return undefined;
  const index = indexGraphs(document);
  const operands = createOperands(index);
  for (const scope of document.scopes) {
    const pads = scope.nodes.filter(
      (node) => addsZeros(node, scope, operands) && !operands.isNonNegative(scope, node.inputs[0] ?? ''),
    );
    const pool = nextPool(pads, scope, index);
    if (pool !== undefined) return pool;
  }
  return undefined;
}

/** Returns whether a node is a Pad with the constant zero. */
function addsZeros(node: Node, scope: Scope, operands: Operands): boolean {
  if (node.opType !== 'Pad' || node.domain !== '' || node.inputs.length > MAX_INPUTS) return false;
  if ((attribute(node, 'mode')?.s ?? 'constant') !== 'constant') return false;
  const value = node.inputs[2] ?? '';
  return value === ''
    ? (attribute(node, 'value')?.f ?? 0) === 0
    : operands.constant(scope, value)?.value === 0;
}

/** Returns the MaxPool that ONNX Runtime fuses with a Pad: the only reader, or several equal ones, which it makes one before. */
function fusedPool(pad: Node, scope: Scope, index: GraphIndex): Node | undefined {
  const outputs = new Set(scope.outputs.map(({ name }) => name));
  let made: readonly Node[] = [pad];
  for (let passed = 0; passed < MAX_PASSED; passed++) {
    const readers = readersOf(made, scope, index);
    const [first] = readers ?? [];
    if (readers === undefined || first === undefined) return undefined;
    // Two equal nodes stay two if both results are outputs of the graph.
    const kept = readers.filter((node) => node.outputs.some((name) => outputs.has(name)));
    if (kept.length > 1 || new Set(readers.map(functionOf)).size > 1) return undefined;
    if (first.opType === 'MaxPool') return isFusible(first) ? first : undefined;
    if (!MOVED.has(first.opType)) return undefined;
    made = readers;
  }
  return undefined;
}

/** Returns the nodes that read results once what ONNX Runtime removes is gone; undefined if something else reads them, too. */
function readersOf(made: readonly Node[], scope: Scope, index: GraphIndex): Node[] | undefined {
  const readers = new Set<Node>();
  const open = new Set(made);
  for (const node of open) {
    for (const use of index.usesOf(index.output(scope, node, 0))) {
      if (!isIn(scope, use) || use.slot > 0) return undefined;
      if (REMOVED.has(use.node.opType)) open.add(use.node);
      else readers.add(use.node);
    }
  }
  return [...readers];
}

/** Returns a MaxPool to which operators lead that ONNX Runtime may remove or move. */
function nextPool(pads: readonly Node[], scope: Scope, index: GraphIndex): Node | undefined {
  const found = new Set(pads);
  for (const node of found) {
    for (const use of index.usesOf(index.output(scope, node, 0))) {
      if (!isIn(scope, use)) continue;
      if (use.node.opType === 'MaxPool') return use.node;
      if (PERHAPS.has(use.node.opType)) found.add(use.node);
    }
  }
  return undefined;
}

/** Returns whether a value is read by one of ONNX's operators in this scope. */
const isIn = (scope: Scope, use: Use): use is Extract<Use, { kind: 'input' }> =>
  use.kind === 'input' && use.scope === scope && use.node.domain === '';

/** Returns what a node computes of its first input, as a text. */
function functionOf({ opType, inputs, attributes }: Node): string {
  const given = attributes.map(({ name, f, i, s, ints }) => JSON.stringify([name, f, i, s, ints]));
  return JSON.stringify([opType, inputs.slice(1), given.sort()]);
}

/** Returns whether ONNX Runtime fuses a MaxPool: it has explicit padding, and its indices are not an output. */
function isFusible(pool: Node): boolean {
  return pool.outputs.length === 1 && (attribute(pool, 'auto_pad')?.s ?? 'NOTSET') === 'NOTSET';
}
