import type { onnx } from '../../proto/onnx.js';
import { model, node } from './model.js';

/** What the data file of `externalModel` holds: a float32 vector that is added before the Relu. */
export const BIAS = new Float32Array([-2, -0.5, 0.25, 3]);
export const BIAS_BYTES = new Uint8Array(BIAS.buffer);

/** y = Relu(x + bias), bias in a data file at `location`; more locations for more tensors. */
export function externalModel(location: string, ...more: string[]): Uint8Array {
  return model({
    nodes: [node('Add', ['x', 'bias'], ['z']), node('Relu', ['z'], ['y'], {}, { name: 'act' })],
    initializers: [
      external('bias', location),
      ...more.map((other, index) => external(`more_${index}`, other)),
    ],
  });
}

function external(name: string, location: string): onnx.ITensorProto {
  const entries = { location, length: String(BIAS_BYTES.length) };
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { name, dataType: 1, dims: [4], dataLocation: 1, externalData };
}
