import { analyse } from '../../onnx/analysis.js';
import type { DeclaredValue, OnnxDocument } from '../../onnx/document.js';
import { valueField } from '../../onnx/encode.js';
import { type Edit, replacing, type Spliced, splice } from '../../onnx/splice.js';
import { DataType } from '../../onnx/types.js';
import type { Shapes } from '../provider.js';

/**
 * Writes the dimensions of a model's inputs and outputs as numbers, and the types of its outputs: WebGL refuses symbolic
 * or missing dimensions. Inputs and outputs that `shapes` does not name stay unchanged, as do inputs with an initializer.
 */
export function withShapes(document: OnnxDocument, shapes: Shapes): Spliced {
  const { source, graph } = document;
  const { types } = analyse(document);
  const edit =
    (kind: 'input' | 'output', known: Shapes['inputs']) =>
    ({ name, elemType: given, span, frame }: DeclaredValue): Edit[] => {
      const dims = Object.hasOwn(known, name) ? known[name] : undefined;
      if (dims === undefined || span === undefined || frame === undefined) return [];
      const elemType = given || types(graph, name) || DataType.FLOAT;
      return [replacing({ span, frame }, valueField(kind, { name, elemType, dims }))];
    };
  // An input without an element type is not a tensor.
  const inputs = graph.inputs.filter(({ name, elemType }) => elemType !== 0 && !graph.initializers.has(name));
  return splice(source, [
    ...inputs.flatMap(edit('input', shapes.inputs)),
    ...graph.outputs.flatMap(edit('output', shapes.outputs)),
  ]);
}
