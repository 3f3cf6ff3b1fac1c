import { ownProperty } from '../base/own.js';
import { analyse } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { exposeTensors } from '../onnx/expose.js';
import { readNumbers } from '../onnx/small-tensor.js';
import type { Spliced } from '../onnx/splice.js';
import { floatType } from '../onnx/types.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { elementCount, type Tensors, toNumbers } from '../providers/tensor.js';
import { withCopySession } from '../providers/with-session.js';

/** Shapes and constants of a main graph's tensors, from a run. They hold for all feeds of the same shapes. */
export interface Probe {
  /** Returns the shape of a tensor or weight; empty for a tensor that is absent from the run. */
  dims(name: string): readonly number[];
  /** Returns the elements of a small constant tensor; undefined for other tensors. */
  constant(name: string): readonly number[] | undefined;
  /** Returns whether a tensor has floats; also true where its type is not known. */
  isFloat(name: string): boolean;
}

/** Maximum number of elements of a stored constant. */
const MAX_CONSTANT_ELEMENTS = 65_536;
/** Operators whose outputs depend only on shapes. */
const OF_SHAPES = new Set(['Shape', 'Size']);
const RANDOM = /^(Random|Multinomial|Bernoulli)/;

/**
 * Runs a model once with the shape of every tensor of its main graph as an output, and with constant tensors. `run` opens and runs
 * an edited copy of the model.
 */
export async function probeModel(
  document: OnnxDocument,
  feeds: Tensors,
  run: (model: Spliced) => Promise<Tensors>,
): Promise<Probe> {
  const { graph } = document;
  const { nodes, initializers } = graph;
  const names = nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));
  const constant = constantTensors(document);
  const { types } = analyse(document);
  // All tensors of a batch at once would take several times the memory of a step. Sequences have no type here, and no shape.
  const shapesOf = new Set(names.filter((name) => !constant.has(name) && types(graph, name) !== undefined));
  const exposed = exposeTensors(document, names, { shapesOf });
  const tensors = await run(exposed.model);
  const shapes = new Map<string, readonly number[]>();
  for (const { name, dims } of initializers.values()) shapes.set(name, dims);
  for (const [name, { dims }] of [...Object.entries(feeds), ...Object.entries(tensors)])
    shapes.set(name, dims);
  for (const name of shapesOf) {
    const shape = ownProperty(tensors, exposed.outputs.get(name) ?? '');
    if (shape !== undefined && exposed.outputs.get(name) !== name)
      shapes.set(name, Array.from(toNumbers(shape) ?? []));
  }
  const constants = new Map<string, readonly number[]>();
  for (const [name, tensor] of initializers) {
    const values = isSmall(tensor.dims) ? await readNumbers(document, tensor) : undefined;
    if (values !== undefined) constants.set(name, values);
  }
  for (const name of constant) {
    const tensor = ownProperty(tensors, name);
    const values = tensor && isSmall(tensor.dims) ? toNumbers(tensor) : undefined;
    if (values !== undefined) constants.set(name, Array.from(values));
  }
  return {
    dims: (name) => shapes.get(name) ?? [],
    constant: (name) => constants.get(name),
    isFloat(name) {
      const type = types(graph, name);
      return type === undefined || floatType(type) !== undefined;
    },
  };
}

/** Probes a model with a session of a provider. Throws what the provider throws. */
export function probeWithSession(
  model: EditableModel,
  feeds: Tensors,
  options: OnProvider & { readonly session?: SessionOptions | undefined },
): Promise<Probe> {
  // A single run gains nothing by optimisation, which makes some models with exposed tensors invalid.
  const plain = { ...options, session: { ...options.session, optimisation: 'disabled' } as const };
  return probeModel(model.document, feeds, (edited) =>
    model.withEdited(edited, (copy) => withCopySession(copy, plain, (session) => session.run(feeds))),
  );
}

const isSmall = (dims: readonly number[]) => elementCount(dims) <= MAX_CONSTANT_ELEMENTS;

/** Names the tensors that do not depend on the values of inputs. Leaves out sparse tensors, which ONNX Runtime cannot output. */
function constantTensors({ graph }: OnnxDocument): Set<string> {
  const constant = new Set<string>(['']);
  for (const name of graph.initializers.keys()) constant.add(name);
  const isConstant = ({ opType, inputs, attributes }: Node) =>
    OF_SHAPES.has(opType) ||
    (inputs.every((name) => constant.has(name)) &&
      !RANDOM.test(opType) &&
      attributes.every(({ name, graphs }) => graphs === undefined && name !== 'sparse_value'));
  for (const node of graph.nodes) {
    if (isConstant(node)) for (const name of node.outputs) constant.add(name);
  }
  return constant;
}
