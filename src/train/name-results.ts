import type { ComposedNode } from '../onnx/compose.js';

/**
 * Returns nodes whose results have the names of the graph's outputs. Where that cannot be, an Identity copies the result, which takes
 * a pass over the tensor: where none of the nodes computes it, and where an earlier output has it already.
 *
 * @param nodes Nodes that may be renamed. No other node reads what they write.
 * @param results Pairs of a tensor and of the output that it becomes.
 */
export function nameResults(
  nodes: readonly ComposedNode[],
  results: readonly (readonly [from: string, output: string])[],
): ComposedNode[] {
  const computed = new Set(nodes.flatMap(([op, , outputs]) => (op === 'Constant' ? [] : outputs)));
  const names = new Map<string, string>();
  const copies: ComposedNode[] = [];
  for (const [from, output] of results) {
    if (computed.has(from) && !names.has(from)) names.set(from, output);
    else copies.push(['Identity', [names.get(from) ?? from], [output]]);
  }
  const named = (name: string) => names.get(name) ?? name;
  const renamed = nodes.map(
    ([op, inputs, outputs, ...rest]): ComposedNode => [op, inputs.map(named), outputs.map(named), ...rest],
  );
  return [...renamed, ...copies];
}
