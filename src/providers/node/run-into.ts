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
  let known: readonly [name: string, Omit<Tensor, 'data'>][] = [];
  return async (feeds: Tensors, into: Tensors): Promise<Tensors> => {
    const whole = async () => {
      const results = await run(feeds, into, names);
      // Not their arrays, which take memory.
      known = Object.entries(results).map(([name, { elemType, dims }]) => [name, { elemType, dims }]);
      return results;
    };
    const others = known.filter(([name]) => !Object.hasOwn(into, name));
    const isUsable = hasContainer && others.length > 0;
    if (!isUsable || others.some(([, { elemType }]) => elemType !== 'f32')) return whole();
    const rest = Object.fromEntries(
      others.map(([name, tensor]) => {
        return [
          name,
          { ...tensor, data: new Float32Array(elementCount(tensor.dims)).fill(Number.NaN) },
        ] as const;
      }),
    );
    const results = { ...into, ...rest };
    const message = await run(feeds, results, [CONTAINER]).then(
      () => '',
      (error: unknown) => String(error),
    );
    // NaN in all of them may mean that nothing ran.
    const isDone = Object.values(rest).some(({ data }) => data.some((value) => !Number.isNaN(value)));
    return message.includes('Non tensor type') && isDone ? results : whole();
  };
}
