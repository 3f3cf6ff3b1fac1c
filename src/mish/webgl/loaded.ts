import type { Analysis } from '../../onnx/analysis.js';
import { attribute, type Node, type OnnxDocument, type Scope, type Tensor } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';

/** A number, or something else for a dimension that is not known beforehand. */
export type Dims = readonly (number | string | null)[];

/** The main graph of a model as WebGL has it once it is loaded. */
export interface Loaded {
  readonly graph: Scope;
  readonly analysis: Analysis;
  /** Dimensions of a value, as far as they are known; undefined where the rank is not. */
  dims(name: string): Dims | undefined;
  /** The tensor that a value is, where WebGL takes it for constant. */
  constant(name: string): Tensor | undefined;
  /** The nodes that read a value once those that are taken out are gone; one that reads it twice comes twice. */
  readers(name: string): Node[];
  /** The activation that a Conv takes in: its only reader. */
  readonly fused: ReadonlyMap<Node, Node>;
  /** Nodes in whose place something else is written: a Mish that reads their first input, or nothing. */
  readonly rewritten: ReadonlySet<Node>;
}

/** Operators that are taken out of the graph when it is loaded. */
const REMOVED: readonly string[] = ['Identity', 'Dropout'];

export const isRemoved = ({ opType, domain }: Node) => domain === '' && REMOVED.includes(opType);

/** Finds the tensor that a value of the main graph is, where WebGL takes it for constant. */
export function webglConstant(graph: Scope, index: GraphIndex, name: string): Tensor | undefined {
  const producer = index.producer(graph, name);
  if (producer === undefined) return graph.initializers.get(name);
  return producer.opType === 'Constant' && producer.domain === ''
    ? attribute(producer, 'value')?.tensor
    : undefined;
}

/** Nodes in `rewritten` are going to be Mish in the exp form, or to be gone. */
export function load(
  { graph }: OnnxDocument,
  analysis: Analysis,
  rewritten: ReadonlySet<Node> = new Set(),
): Loaded {
  const { index } = analysis;
  const constant = (name: string) => webglConstant(graph, index, name);

  function readers(name: string): Node[] {
    const found: Node[] = [];
    const names = [name];
    const seen = new Set(names); // a broken model may go round in circles
    for (let next = names.pop(); next !== undefined; next = names.pop()) {
      for (const use of index.uses(graph, next)) {
        if (use.kind === 'output') continue;
        const [output] = use.node.outputs;
        if (!isRemoved(use.node) || output === undefined) found.push(use.node);
        else if (!seen.has(output)) {
          seen.add(output);
          names.push(output);
        }
      }
    }
    return found;
  }

  const fused = new Map<Node, Node>();
  for (const node of graph.nodes) {
    if (node.opType !== 'Conv' || node.domain !== '') continue;
    const [reader, ...others] = readers(node.outputs[0] ?? '');
    if (reader !== undefined && others.length === 0 && !rewritten.has(reader) && canFuse(reader, constant))
      fused.set(node, reader);
  }
  return {
    graph,
    analysis,
    dims: (name) => constant(name)?.dims ?? graph.values.get(name)?.dims ?? index.declared(graph, name)?.dims,
    constant,
    readers,
    fused,
    rewritten,
  };
}

function canFuse({ opType, inputs }: Node, constant: Loaded['constant']): boolean {
  if (opType !== 'Clip') return opType === 'Relu' || opType === 'Sigmoid';
  const [, low = '', high = ''] = inputs;
  return inputs.length === 1 || (constant(low) !== undefined && constant(high) !== undefined);
}
