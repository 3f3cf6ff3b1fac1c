import { plural } from '../base/plural.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { isQuantizer, quantizationObstacle, quantizationOf } from './quantization.js';
import type { PlacedSite } from './requantise.js';

/** The note on scales that only samples give. */
export const NEW_SCALES =
  'int8: scales after the next layers were made with ReLU, and stay; with samples, `calibrate` makes them anew';

/** Returns the note on sites that operators on integers cannot compute. */
export function noteOnFloats(placed: readonly PlacedSite[]): string[] {
  const count = placed.filter(({ onIntegers }) => !onIntegers).length;
  if (count === 0) return [];
  const sites = count === 1 ? 'a site is' : plural(count, 'site is', 'sites are');
  return [`int8: ${sites} between floats, in the form of Mish: the operators on integers do not fit there`];
}

/** Returns why int8 cannot read QuantizeLinear nodes of a document; undefined if it can read all. */
export function int8Obstacle({ scopes }: OnnxDocument, index: GraphIndex): string | undefined {
  const nodes = scopes.flatMap((scope) =>
    scope.nodes
      .filter((node) => isQuantizer(node) && quantizationOf(index, scope, node) === undefined)
      .map((node) => ({ scope, node })),
  );
  const [first] = nodes;
  if (first === undefined) return undefined;
  const more = nodes.length === 1 ? '' : `, as the first of ${plural(nodes.length, 'QuantizeLinear node')}`;
  return `${quantizationObstacle(index, first.scope, first.node)}${more}`;
}

/** Returns the note on QuantizeLinear nodes that int8 cannot read, for a model without a site that int8 can swap. */
export function noteOnObstacle(document: OnnxDocument, index: GraphIndex): string[] {
  const obstacle = int8Obstacle(document, index);
  return obstacle === undefined ? [] : [`int8: no site is between tensors that it reads: ${obstacle}`];
}
