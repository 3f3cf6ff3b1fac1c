import type { Analysis } from '../../onnx/analysis.js';
import { attribute, type Node, nodeLabel, opsetOf, type Tensor } from '../../onnx/document.js';
import { floatType } from '../../onnx/types.js';
import { misplaced } from './layout.js';
import { isRemoved, type Loaded } from './loaded.js';
import { powerOf } from './power.js';
import { columns, dotProducts, mixedUp, tooLate } from './programs.js';

/**
 * What keeps WebGL from a mistake: a Cast to the type that it has already between a Conv and its activation, a Cast in the place
 * of Identity, a product with 1 after a node, `kernel_shape` of a Conv, Mul for Pow, an upper bound for Clip, a third input of
 * Gemm, which is 0, Slices for Split, empty tensors for the inputs that Resize leaves out, an InstanceNormalization of images for one
 * of rows, a product with 1 before a Resize.
 */
export type Remedy =
  | 'unfuse'
  | 'keep'
  | 'copy'
  | 'kernel'
  | 'multiply'
  | 'bound'
  | 'bias'
  | 'slice'
  | 'empty'
  | 'image'
  | 'before';

/** What WebGL of onnxruntime-web 1.30.0 may get wrong at a node without a word, and where to mend it, if it can be. */
export interface Fault {
  /** The node that may be computed wrong. */
  readonly node: Node;
  /** What is wrong, as a sentence without its full stop. */
  readonly says: string;
  /** WebGL says so itself, and runs nothing. */
  readonly isRefused?: boolean;
  /** What to do, and to which nodes; empty where nothing helps. */
  readonly remedies: readonly { readonly kind: Remedy; readonly at: Node }[];
}

/** The faults for which there are remedies; `test/providers/webgl/mistakes.md` names their places in its code. */
export function curableFaults(loaded: Loaded): Fault[] {
  return [
    ...lostOutputs(loaded),
    ...movedOutputs(loaded),
    ...mixedConvs(loaded),
    ...misplacedResults(loaded),
    ...loaded.graph.nodes.flatMap((node) =>
      node.domain !== '' || loaded.rewritten.has(node)
        ? []
        : [
            ...powers(node, loaded),
            ...clips(node, loaded),
            ...refusals(node, loaded),
            ...turned(node, loaded),
          ],
    ),
  ];
}

const unfuse = (node: Node | undefined): Pick<Fault, 'remedies'> => ({
  remedies: node === undefined ? [] : [{ kind: 'unfuse', at: node }],
});

/** An output of the model that is a Conv's becomes that of the activation which it takes in. */
function lostOutputs({ graph, fused }: Loaded): Fault[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return [...fused].flatMap(([node, into]): Fault[] => {
    const name = node.outputs[0] ?? '';
    const says = `WebGL gives the output ${name} with the ${into.opType} applied that reads it`;
    if (outputs.has(name)) return [{ node, says, ...unfuse(into) }];
    if (!halfBound(into)) return [];
    return [{ node: into, says: 'WebGL leaves out the only bound of a Clip after a Conv', ...unfuse(into) }];
  });
}

/**
 * When the output of a node that is taken out is the model's, the outputs from it on change their places among the
 * values, and those that nodes read are looked for in the old place; so is what it had made of its input, where others read that.
 */
function movedOutputs({ graph, analysis, readers, fused }: Loaded): Fault[] {
  const activations = new Set(fused.values());
  const last = graph.outputs.findLastIndex(({ name }) => readers(name).length > 0);
  return graph.outputs.flatMap(({ name }, place): Fault[] => {
    const node = analysis.index.producer(graph, name);
    const isTaken = node !== undefined && (isRemoved(node) || activations.has(node));
    if (!isTaken) return [];
    const [x = ''] = node.inputs;
    const isShared =
      isRemoved(node) && (readers(x).length > 0 || analysis.index.declared(graph, x) !== undefined);
    if (place > last && !isShared) return [];
    const moved = place > last ? name : (graph.outputs[last]?.name ?? '');
    const says = `WebGL may give something else for the output ${moved}, which other nodes read, since it takes this node out`;
    if (activations.has(node)) return [{ node, says, ...unfuse(node) }];
    return [{ node, says, remedies: castable(analysis, graph, x) ? [{ kind: 'keep', at: node }] : [] }];
  });
}

/** Whether the element type is one of floats that WebGL has. */
function castable({ types }: Analysis, graph: Loaded['graph'], name: string): boolean {
  const type = floatType(types(graph, name));
  return type === 'f32' || type === 'f64';
}

function mixedConvs(loaded: Loaded): Fault[] {
  const dots = mixedUp(dotProducts(loaded)).flatMap((group) => {
    // None of them may take in an activation, the first no more than those that come too late.
    const remedies = group.flatMap(({ node }) => unfuse(loaded.fused.get(node)).remedies);
    return tooLate(group).map(([{ node }, first]): Fault => {
      const says = `WebGL may run it as ${nodeLabel(first.node)}, though they differ in the activation after them`;
      return { node, says, remedies };
    });
  });
  const kernels = mixedUp(columns(loaded)).flatMap((group) =>
    tooLate(group).map(([{ node }, first]): Fault => {
      const says = `WebGL may run it as ${nodeLabel(first.node)}, though their kernels differ, which are not given as kernel_shape`;
      const isKnown = loaded.dims(node.inputs[1] ?? '')?.every((size) => typeof size === 'number');
      return { node, says, remedies: isKnown ? [{ kind: 'kernel', at: node }] : [] };
    }),
  );
  return [...dots, ...kernels];
}

function misplacedResults(loaded: Loaded): Fault[] {
  const { graph, analysis } = loaded;
  return [...misplaced(loaded)].map(([at, node]): Fault => {
    const says = `WebGL may read elements of ${nodeLabel(at)} from the wrong places, which has other dimensions than the texture it is in`;
    const isKnown = castable(analysis, graph, at.outputs[0] ?? '');
    return { node, says, remedies: isKnown ? [{ kind: 'copy', at }] : [] };
  });
}

/** Operators of which nothing below 0 comes. */
const NOT_NEGATIVE: readonly string[] = ['Abs', 'Exp', 'Relu', 'Sigmoid', 'Softmax', 'Sqrt'];

function powers(node: Node, loaded: Loaded): Fault[] {
  if (node.opType !== 'Pow') return [];
  const [x = '', y = ''] = node.inputs;
  const says = 'WebGL has no powers of negative numbers';
  if (powerOf(node, loaded) !== undefined)
    return [{ node, says, remedies: [{ kind: 'multiply', at: node }] }];
  const exponent = loaded.constant(y)?.scalar;
  const isRoot = exponent !== undefined && !Number.isInteger(exponent); // of a negative number there is none anywhere
  const maker = loaded.analysis.index.producer(loaded.graph, x);
  const isSafe = isRoot || NOT_NEGATIVE.includes(maker?.opType ?? '');
  return isSafe ? [] : [{ node, says, remedies: [] }];
}

function clips(node: Node, { graph, analysis, constant }: Loaded): Fault[] {
  if (node.opType !== 'Clip' || opsetOf(graph) < 11 || node.inputs.length !== 2) return [];
  const [x = '', low = ''] = node.inputs;
  const says = 'WebGL leaves out the lower bound of a Clip without an upper one';
  const isKnown = castable(analysis, graph, x) && constant(low) !== undefined;
  const maker = analysis.index.producer(graph, x);
  // With both bounds a Conv takes it in.
  const isNext = maker !== undefined && (maker.opType === 'Conv' || isRemoved(maker));
  const apart = isNext ? unfuse(node).remedies : [];
  return [{ node, says, remedies: isKnown ? [{ kind: 'bound', at: node }, ...apart] : [] }];
}

/** What a Resize reads that no node makes is in a texture of which width and height have changed places, for others too. */
function turned(node: Node, { graph, analysis, readers }: Loaded): Fault[] {
  const [x = ''] = node.inputs;
  if (node.opType !== 'Resize' || analysis.index.producer(graph, x) !== undefined || readers(x).length < 2)
    return [];
  const says = `WebGL may read elements of ${x} from the wrong places at other nodes, once a Resize has read it`;
  return [{ node, says, remedies: castable(analysis, graph, x) ? [{ kind: 'before', at: node }] : [] }];
}

/** What WebGL runs in another way of writing only. */
function refusals(node: Node, loaded: Loaded): Fault[] {
  const { opType: op, inputs } = node;
  const fault = (says: string, kind: Remedy): Fault[] => [
    { node, says, isRefused: true, remedies: [{ kind, at: node }] },
  ];
  const { graph, analysis } = loaded;
  if (op === 'Gemm' && inputs.length === 2 && castable(analysis, graph, inputs[0] ?? ''))
    return fault("WebGL's Gemm needs its third input", 'bias');
  if (op === 'Resize' && inputs.length === 4 && inputs[3] !== '' && inputs.includes(''))
    return fault("WebGL's Resize takes sizes only where roi and scales are given", 'empty');
  if (op === 'InstanceNormalization' && loaded.dims(inputs[0] ?? '')?.length === 3)
    return fault("WebGL's InstanceNormalization takes four dimensions", 'image');
  if (op !== 'Split' || opsetOf(graph) < 13 || partsOf(node, loaded) === undefined) return [];
  return fault('WebGL has Split only before opset 13', 'slice');
}

/** Where the lengths of Split's parts stand, or the length that all have. */
export function partsOf(node: Node, { dims, constant }: Loaded): Tensor | number | undefined {
  const [x = '', split = ''] = node.inputs;
  const axis = attribute(node, 'axis')?.i ?? 0;
  if (split !== '') {
    const tensor = constant(split);
    return tensor?.frame === undefined || tensor.external !== undefined ? undefined : tensor;
  }
  const length = dims(x)?.at(axis);
  const part = typeof length === 'number' ? length / node.outputs.length : 0.5;
  return Number.isInteger(part) ? part : undefined;
}

/** Of the bounds that are attributes, a Conv takes in both or none. */
function halfBound(node: Node): boolean {
  const has = (name: string) => attribute(node, name) !== undefined;
  return node.opType === 'Clip' && node.inputs.length === 1 && has('min') !== has('max');
}
