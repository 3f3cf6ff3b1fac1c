import type { Analysis } from '../../onnx/analysis.js';
import {
  type Node,
  type OnnxDocument,
  type Scope,
  type StoredTensor,
  tensorOfConstant,
} from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { type Dims, dimensions } from './ranks.js';

export type { Dims } from './ranks.js';

/** The main graph of a model after WebGL has loaded it. */
export interface Loaded {
  readonly graph: Scope;
  readonly analysis: Analysis;
  /** Dimensions of a value; undefined if the rank is unknown. */
  dims(name: string): Dims | undefined;
  /** The tensor of a value that WebGL treats as constant. */
  constant(name: string): StoredTensor | undefined;
  /** The nodes that read a value, through removed nodes too. A node that reads the value twice is listed twice. */
  readers(name: string): Node[];
  /** Convs with the activation that WebGL fuses into them, their only reader. */
  readonly fused: ReadonlyMap<Node, Node>;
  /** Nodes that a swap replaces with a Mish of their first input, or deletes. */
  readonly rewritten: ReadonlySet<Node>;
}

/** Operators that WebGL removes from the graph on loading. */
const REMOVED: readonly string[] = ['Identity', 'Dropout'];

export const isRemoved = ({ opType, domain }: Node) => domain === '' && REMOVED.includes(opType);

/** Finds the tensor of a value of the main graph that WebGL treats as constant. */
export function webglConstant(graph: Scope, index: GraphIndex, name: string): StoredTensor | undefined {
  const producer = index.producer(graph, name);
  return producer === undefined ? graph.initializers.get(name) : tensorOfConstant(producer);
}

/** Models how WebGL loads the main graph. A swap replaces the `rewritten` nodes with Mish in the exp form, or deletes them. */
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
    const seen = new Set(names); // a malformed model may have cycles
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
    dims: dimensions(graph, constant),
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
