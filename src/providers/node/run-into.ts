// Runs that write into given arrays. onnxruntime-node 1.30 also copies every result into a new array, those in given arrays as well. For a
// training step of 11 million weights these copies take a seventh of the time. An output that is not a tensor prevents them: the
// binding meets it after the run, before the first copy, and throws.
import { concat, messageField, nodeField, outputField } from '../../onnx/encode.js';
import { elementCount, type Tensor, type Tensors } from '../tensor.js';

/** Name of the output that is not a tensor. */
export const CONTAINER = 'onnx-mish/container';

/** Number of the field that holds the graph of a model. */
const GRAPH = 7;

/** Returns a model whose first output is an empty sequence: what is written before a model is merged with it. Needs opset 11. */
export function withContainer(model: Uint8Array): Uint8Array {
  const sequence = nodeField('graph', { opType: 'SequenceEmpty', output: [CONTAINER] });
  return concat([messageField(GRAPH, concat([sequence, outputField(CONTAINER)])), model]);
}

/** Runs a model and writes outputs into given arrays, and others into new ones. */
type Run = (feeds: Tensors, into: Tensors, others: readonly string[]) => Promise<Tensors>;

/**
 * Creates a function that runs a model and writes the outputs into given arrays. The first run finds the shapes of the other outputs,
 * which all runs must have.
 *
 * @param names Names of the outputs that are tensors.
 * @param hasContainer Whether the model is from `withContainer`.
 */
export function createRunInto(run: Run, names: readonly string[], hasContainer: boolean) {
  let isUsable = hasContainer;
  let known: readonly [name: string, Omit<Tensor, 'data'>][] = [];
  return async (feeds: Tensors, into: Tensors): Promise<Tensors> => {
    const whole = async () => {
      const results = await run(feeds, into, names);
      // Not their arrays, which take memory.
      known = Object.entries(results).map(([name, { elemType, dims }]) => [name, { elemType, dims }]);
      return results;
    };
    const others = known.filter(([name]) => !Object.hasOwn(into, name));
    if (!isUsable || others.length === 0 || others.some(([, { elemType }]) => elemType !== 'f32'))
      return whole();
    const rest = Object.fromEntries(
      others.map(([name, tensor]) => {
        return [
          name,
          { ...tensor, data: new Float32Array(elementCount(tensor.dims)).fill(Number.NaN) },
        ] as const;
      }),
    );
    const results = { ...into, ...rest };
    const endedAtContainer = await run(feeds, results, [CONTAINER]).then(
      () => false,
      (error: unknown) => String(error).includes('Non tensor type'),
    );
    // An output of NaN alone may be one that was not written.
    const isDoubtful = (tensors: Tensors) => others.some(([name]) => isAllNaN(tensors[name]));
    if (endedAtContainer && !isDoubtful(results)) return results;
    const copied = await whole();
    // Otherwise every run would be made twice: with an onnxruntime-node that ends differently, and with an output that is
    // an input, which is never written.
    isUsable = endedAtContainer && isDoubtful(copied);
    return copied;
  };
}

const isAllNaN = (tensor: Tensor | undefined) =>
  tensor?.data instanceof Float32Array &&
  tensor.data.length > 0 &&
  tensor.data.every((value) => Number.isNaN(value));
