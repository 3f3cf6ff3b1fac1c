import type { OnnxDocument } from '../onnx/document.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { usesBatchStatistics } from '../onnx/inference-edits.js';
import { readWeight, weightOf } from '../onnx/weights.js';
import type { LoadedModel } from '../providers/loaded-model.js';

/** A normalisation inside a model, with the variance that it stores. */
export interface StoredNorm {
  /** Name of the normalisation's input. */
  readonly input: string;
  /** Whether the input is one of the model. */
  readonly isFed: boolean;
  readonly variance: Float64Array;
}

/** Returns the first batch normalisation of the main graph; undefined if it stores no variance. */
export async function firstNorm({ document, openData }: LoadedModel): Promise<StoredNorm | undefined> {
  const node = document.graph.nodes.find(
    ({ opType, domain, inputs }) => opType === 'BatchNormalization' && domain === '' && inputs.length >= 5,
  );
  if (node === undefined || usesBatchStatistics(node)) return undefined;
  const [input = '', , , , name = ''] = node.inputs;
  const index = indexGraphs(document);
  const weight = weightOf(index, document.graph, name);
  if (weight === undefined) return undefined;
  const isFed = index.producer(document.graph, input) === undefined;
  if (isFed && !isInputOf(document, input)) return undefined;
  return { input, isFed, variance: await readWeight(document, weight, openData) };
}

const isInputOf = ({ graph }: OnnxDocument, input: string) => graph.inputs.some(({ name }) => name === input);
