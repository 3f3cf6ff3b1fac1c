// Zeros that a Pad adds before a MaxPool. ONNX Runtime 1.20 to 1.31 fuses the two (its optimiser Pad_Fusion), and a MaxPool ignores its own padding. Where
// all other values are at least zero, as after ReLU, that changes nothing.
import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { depthOf } from './activation-kinds.js';
import type { NewActivation } from './new-activation.js';
import { createOperands, type Operands } from './operands.js';
import type { Site } from './site.js';

/** Operators between a Pad and a MaxPool that ONNX Runtime removes, or moves out of the way, before. */
const PASSED = /^(Identity|Transpose|Dropout)$/;
/** Maximum number of these. */
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
  const isFromSite = (scope: Scope, name: string): boolean => {
    const home = operands.isNonNegative(scope, name) ? index.home(scope, name) : undefined;
    const node = home && index.producer(home, name);
    if (home === undefined || node === undefined || seen.has(node)) return false;
    seen.add(node);
    return swapped.has(node) || node.inputs.some((input) => input !== '' && isFromSite(home, input));
  };
  for (const scope of scopes) {
    const pool = scope.nodes.find((node) => {
      if (node.opType !== 'MaxPool' || node.domain !== '') return false;
      const pad = padBefore(node, (one) => {
        const isAlone = index.usesOf(index.input(scope, one, 0)).length === 1;
        return isAlone ? index.source(scope, one, 0) : undefined;
      });
      return pad !== undefined && addsZeros(pad, scope, operands) && isFromSite(scope, pad.inputs[0] ?? '');
    });
    if (pool !== undefined) return [noteOn(pool, label)];
  }
  return [];
}

const noteOn = (pool: Node, label: string): string =>
  `ONNX Runtime 1.20 to 1.31 drops the zeros of the Pad before MaxPool '${nodeLabel(pool)}', which negative ${label} values need at the edge; ` +
  "1.32 keeps them, as earlier versions do with the session option optimization.disable_specified_optimizers = 'Pad_Fusion'";

/** Returns the node before a MaxPool and the operators that are passed. */
function padBefore(node: Node, sourceOf: (node: Node) => Node | undefined): Node | undefined {
  let before = sourceOf(node);
  for (let passed = 0; passed < MAX_PASSED && PASSED.test(before?.opType ?? ''); passed++)
    before = before && sourceOf(before);
  return before;
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
