import type { Analysis } from '../../onnx/analysis.js';
import { attribute, type Node, nodeLabel, opsetOf } from '../../onnx/document.js';
import { floatType } from '../../onnx/types.js';
import { misplaced } from './layout.js';
import { isRemoved, type Loaded } from './loaded.js';
import { powerOf } from './power.js';
import { dotProducts, mixedUp, programsOfUnstatedKernels, tooLate } from './programs.js';
import { resizeObstacle } from './resize.js';
import { hasAxesInput, hasStep, partsOf, readsBeyond, reflectsSingle } from './rewrites.js';

/** Change that avoids a WebGL bug. */
export type Remedy =
  /** A Cast that changes nothing, between a Conv and its activation. */
  | 'unfuse'
  /** A Cast that changes nothing, for an Identity. */
  | 'keep'
  /** A product with 1 after a node. */
  | 'copy'
  /** The attribute `kernel_shape` of a Conv. */
  | 'kernel'
  /** Mul for Pow. */
  | 'multiply'
  /** An upper bound for Clip. */
  | 'bound'
  /** A third input of zero for Gemm. */
  | 'bias'
  /** A Slice for each part of a Split. */
  | 'slice'
  /** Empty tensors for absent inputs of Resize. */
  | 'empty'
  /** An InstanceNormalization of images for one of rows. */
  | 'image'
  /** A product with 1 before a Resize. */
  | 'before'
  /** Gather for a Slice with steps, or for a Pad that reflects. */
  | 'gather'
  /** Pooling or products for a reduction. */
  | 'reduce'
  /** Gather or products for a Resize. */
  | 'resize'
  /** An LRN over padded channels. */
  | 'pad';

/** Silent error that WebGL of onnxruntime-web 1.30.0 may make at a node, with its remedies. */
export interface Fault {
  /** The node whose result may be wrong. */
  readonly node: Node;
  /** Description of the error, as a sentence without full stop. */
  readonly says: string;
  /** Whether WebGL reports the error and refuses the model. */
  readonly isRefused?: boolean;
  /** Remedies with their nodes; empty if nothing helps. */
  readonly remedies: readonly { readonly kind: Remedy; readonly at: Node }[];
}

/** Finds the faults that have remedies; `test/providers/webgl/mistakes.md` cites WebGL's code for each. */
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

/** Finds Convs whose result is a model output, but which WebGL fuses with the following activation. */
function lostOutputs({ graph, fused }: Loaded): Fault[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return [...fused].flatMap(([node, into]): Fault[] => {
    const name = node.outputs[0] ?? '';
    const says = `WebGL also applies the next node, ${into.opType}, to the output ${name}`;
    if (outputs.has(name)) return [{ node, says, ...unfuse(into) }];
    if (!halfBound(into)) return [];
    return [{ node: into, says: 'WebGL ignores the only bound of a Clip after a Conv', ...unfuse(into) }];
  });
}

/**
 * Finds removed nodes whose output is a model output. WebGL renumbers this output and the later ones. Readers of these, or of
 * the removed node's input, still use the old numbers.
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
    const says = `WebGL removes this node and may then return a wrong output ${moved}, which other nodes read`;
    if (activations.has(node)) return [{ node, says, ...unfuse(node) }];
    // A Cast has no mask, as a Dropout may have.
    const isAlone = node.outputs.slice(1).every((mask) => analysis.index.uses(graph, mask).length === 0);
    const isKept = isAlone && castable(analysis, graph, x);
    return [{ node, says, remedies: isKept ? [{ kind: 'keep', at: node }] : [] }];
  });
}

/** Returns whether the element type is a float type that WebGL has. */
function castable({ types }: Analysis, graph: Loaded['graph'], name: string): boolean {
  const type = floatType(types(graph, name));
  return type === 'f32' || type === 'f64';
}

function mixedConvs(loaded: Loaded): Fault[] {
  const dots = mixedUp(dotProducts(loaded)).flatMap((group) => {
    // No Conv of the group may fuse an activation, not even the first.
    const remedies = group.flatMap(({ node }) => unfuse(loaded.fused.get(node)).remedies);
    return tooLate(group).map(([{ node }, first]): Fault => {
      const says = `WebGL may run it as ${nodeLabel(first.node)}, though their fused activations differ`;
      return { node, says, remedies };
    });
  });
  const kernels = mixedUp(programsOfUnstatedKernels(loaded)).flatMap((group) =>
    tooLate(group).map(([{ node }, first]): Fault => {
      const says = `WebGL may run it as ${nodeLabel(first.node)}, though their kernel sizes differ and kernel_shape is absent`;
      const isKnown = loaded.dims(node.inputs[1] ?? '')?.every((size) => typeof size === 'number');
      return { node, says, remedies: isKnown ? [{ kind: 'kernel', at: node }] : [] };
    }),
  );
  return [...dots, ...kernels];
}

function misplacedResults(loaded: Loaded): Fault[] {
  const { graph, analysis } = loaded;
  return [...misplaced(loaded)].map(([at, node]): Fault => {
    const says = `WebGL may read elements of ${nodeLabel(at)} from wrong places: its texture has other dimensions`;
    const isKnown = castable(analysis, graph, at.outputs[0] ?? '');
    return { node, says, remedies: isKnown ? [{ kind: 'copy', at }] : [] };
  });
}

/** Operators with no negative results. */
const NOT_NEGATIVE: readonly string[] = ['Abs', 'Exp', 'Relu', 'Sigmoid', 'Softmax', 'Sqrt'];

function powers(node: Node, loaded: Loaded): Fault[] {
  if (node.opType !== 'Pow') return [];
  const [x = '', y = ''] = node.inputs;
  const says = 'WebGL cannot compute powers of negative numbers';
  if (powerOf(node, loaded) !== undefined)
    return [{ node, says, remedies: [{ kind: 'multiply', at: node }] }];
  const exponent = loaded.constant(y)?.scalar;
  const isRoot = exponent !== undefined && !Number.isInteger(exponent); // undefined for negative numbers on every provider
  const maker = loaded.analysis.index.producer(loaded.graph, x);
  const isSafe = isRoot || NOT_NEGATIVE.includes(maker?.opType ?? '');
  return isSafe ? [] : [{ node, says, remedies: [] }];
}

function clips(node: Node, { graph, analysis, constant }: Loaded): Fault[] {
  if (node.opType !== 'Clip' || opsetOf(graph) < 11 || node.inputs.length !== 2) return [];
  const [x = '', low = ''] = node.inputs;
  const says = 'WebGL ignores the lower bound of a Clip that has no upper bound';
  const isKnown = castable(analysis, graph, x) && constant(low) !== undefined;
  const maker = analysis.index.producer(graph, x);
  // WebGL would fuse a Clip with both bounds into the Conv.
  const isNext = maker !== undefined && (maker.opType === 'Conv' || isRemoved(maker));
  const apart = isNext ? unfuse(node).remedies : [];
  return [{ node, says, remedies: isKnown ? [{ kind: 'bound', at: node }, ...apart] : [] }];
}

/** Finds Resizes of an input or initializer. WebGL swaps width and height of its texture, also for other readers. */
function turned(node: Node, { graph, analysis, readers }: Loaded): Fault[] {
  const [x = ''] = node.inputs;
  if (node.opType !== 'Resize' || analysis.index.producer(graph, x) !== undefined || readers(x).length < 2)
    return [];
  const says = `WebGL may read elements of ${x} from wrong places at other nodes after a Resize has read it`;
  return [{ node, says, remedies: castable(analysis, graph, x) ? [{ kind: 'before', at: node }] : [] }];
}

/** Finds nodes that WebGL refuses, but runs when written in another way. */
function refusals(node: Node, loaded: Loaded): Fault[] {
  const { opType: op, inputs } = node;
  const fault = (says: string, kind: Remedy): Fault[] => [
    { node, says, isRefused: true, remedies: [{ kind, at: node }] },
  ];
  const { graph, analysis } = loaded;
  if (op === 'Gemm' && inputs.length === 2 && castable(analysis, graph, inputs[0] ?? ''))
    return fault("WebGL's Gemm needs its third input", 'bias');
  if (op === 'InstanceNormalization' && loaded.dims(inputs[0] ?? '')?.length === 3)
    return fault("WebGL's InstanceNormalization needs four dimensions", 'image');
  const isKnown = castable(analysis, graph, inputs[0] ?? '');
  const remedies = (kind: Remedy) => (isKnown ? [{ kind, at: node }] : []);
  const resize = resizeObstacle(node, loaded);
  if (resize !== undefined) return [{ node, ...resize, remedies: remedies('resize') }];
  if (op === 'Resize' && inputs.length === 4 && inputs[3] !== '' && inputs.includes(''))
    return fault("WebGL's Resize needs roi and scales beside sizes", 'empty');
  if (readsBeyond(node, loaded)) {
    const says = "WebGL's LRN reads beyond the first and the last channel";
    return [{ node, says, remedies: remedies('pad') }];
  }
  if (reflectsSingle(node, loaded)) {
    const says = "WebGL's Pad may reflect wrong elements where an axis has length 1";
    return [{ node, says, remedies: remedies('gather') }];
  }
  if (hasStep(node, loaded)) return fault("WebGL's Slice supports only steps of 1", 'gather');
  if (hasAxesInput(node, loaded) && isKnown)
    return fault(`WebGL's ${op} takes its axes as an attribute only`, 'reduce');
  if (op !== 'Split' || opsetOf(graph) < 13 || partsOf(node, loaded) === undefined) return [];
  return fault('WebGL has no Split from opset 13', 'slice');
}

/** Returns whether a Clip has a single bound attribute. WebGL's Conv fuses both bounds or none. */
function halfBound(node: Node): boolean {
  const has = (name: string) => attribute(node, name) !== undefined;
  return node.opType === 'Clip' && node.inputs.length === 1 && has('min') !== has('max');
}
