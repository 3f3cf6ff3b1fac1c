import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { type Weight, weightOf } from '../../src/onnx/weights.js';
import { type Parameter, readParameter } from '../../src/train/parameters.js';
import { floats, model, node } from './model.js';

/** A parameter with these values, read from a model that has it as a weight. */
export async function parameterOf(values: readonly number[], minScale?: number): Promise<Parameter> {
  const document = await scan(
    model({ nodes: [node('Add', ['x', 'w'], ['y'])], initializers: [floats('w', [values.length], values)] }),
  );
  const weight = weightOf(indexGraphs(document), document.graph, 'w') as Weight;
  return readParameter(document, weight, undefined, minScale);
}
