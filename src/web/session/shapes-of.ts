import { ownProperty } from '../../base/own.js';
import type { DeclaredValue, OnnxDocument } from '../../onnx/document.js';
import type { Shapes } from '../../providers/provider.js';

/**
 * Returns the shapes that the model does not give whole, with a number for every dimension, which WebGL requires. An unknown
 * dimension is 0: WebGL accepts any size for 0 in the first run, and then only this size.
 */
export function shapesOf({ graph }: OnnxDocument, given: Readonly<Record<string, number>>): Shapes {
  const sizeOf = (dim: number | string | null) =>
    typeof dim === 'string' ? (ownProperty(given, dim) ?? 0) : (dim ?? 0);
  const numbers = (values: readonly DeclaredValue[]) =>
    Object.fromEntries(
      values.flatMap(({ name, dims }) =>
        dims === undefined || dims.every((dim) => typeof dim === 'number') ? [] : [[name, dims.map(sizeOf)]],
      ),
    );
  // WebGL ignores the rank of an output, but requires one.
  const unranked = graph.outputs.filter(({ dims }) => dims === undefined).map(({ name }) => [name, []]);
  return {
    inputs: numbers(graph.inputs),
    outputs: { ...numbers(graph.outputs), ...Object.fromEntries(unranked) },
  };
}
