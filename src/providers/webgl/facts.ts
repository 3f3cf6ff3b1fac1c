import { type Dims, webglConstant } from '../../mish/webgl/loaded.js';
import type { Analysis } from '../../onnx/analysis.js';
import {
  attribute,
  type Node,
  nodeLabel,
  type OnnxDocument,
  opsetOf,
  type Scope,
  type Tensor,
} from '../../onnx/document.js';

/** What is the matter, for a program to act on. */
export type ProblemKind =
  /** WebGL has no such operator. */
  | 'operator'
  /** It has it, but not for this version of the operator set. */
  | 'opset'
  /** An operator of a domain other than ONNX's own. */
  | 'domain'
  /** A call of a function that the model brings along. */
  | 'function'
  /** An operator with graphs inside: If, Loop, Scan. */
  | 'graph-attribute'
  /** An element type. */
  | 'element-type'
  /** A constant integer that needs more than 32 bits. */
  | 'value'
  /** An attribute, or what it is set to. */
  | 'attribute'
  /** Inputs that are missing, left out or too many. */
  | 'inputs'
  /** Outputs that WebGL does not compute, or does not take for outputs. */
  | 'outputs'
  /** The number of dimensions. */
  | 'rank'
  /** An input that has to be a constant. */
  | 'dynamic'
  /** Tensors whose data is in another file. */
  | 'external-data'
  /** A version of the file format. */
  | 'ir-version'
  /** It runs, but may compute something else: see `webglMistakes`. */
  | 'mistake';

/** One thing that WebGL does not do or does wrong. */
export interface Problem {
  readonly kind: ProblemKind;
  /** What it is, as a sentence without its full stop. */
  readonly message: string;
  /** Name of the node, or its operator and output; null for what is no node's. */
  readonly node: string | null;
  readonly op: string | null;
  /** Version of the operator set in force; null for what is no node's. */
  readonly opset: number | null;
}

/** What a rule has to say of a node. */
export type Finding = Pick<Problem, 'kind' | 'message'>;

/** What can be known of a node of the main graph without running it. */
export interface NodeFacts {
  readonly node: Node;
  readonly scope: Scope;
  /** Version of the operator set that the node is in. */
  readonly opset: number;
  /** Element type of an input; undefined where it is not known. */
  type(slot: number): number | undefined;
  /** Dimensions of an input, as far as they are known; undefined where the rank is not. */
  dims(slot: number): Dims | undefined;
  /** The tensor that an input is, where WebGL takes it for constant. */
  constant(slot: number): Tensor | undefined;
  /** Whether an input is given. */
  has(slot: number): boolean;
  /** An integer attribute. */
  int(name: string): number | undefined;
  /** A text attribute. */
  text(name: string): string | undefined;
}

/** The facts about each node of the main graph, in order. */
export function webglFacts({ graph }: OnnxDocument, { types, index }: Analysis): NodeFacts[] {
  const dims = new Map<string, Dims>();
  for (const value of [...graph.values.values(), ...graph.outputs, ...graph.inputs])
    if (value.dims !== undefined) dims.set(value.name, value.dims);

  return graph.nodes.map((node) => {
    const name = (slot: number) => node.inputs[slot] ?? '';
    const constant = (slot: number) =>
      name(slot) === '' ? undefined : webglConstant(graph, index, name(slot));
    return {
      node,
      scope: graph,
      opset: node.domain === '' ? opsetOf(graph) : (graph.opsets.get(node.domain) ?? 0),
      type: (slot) =>
        name(slot) === '' ? undefined : (constant(slot)?.elemType ?? types(graph, name(slot))),
      dims: (slot) => constant(slot)?.dims ?? dims.get(name(slot)),
      constant,
      has: (slot) => name(slot) !== '',
      int: (key) => attribute(node, key)?.i,
      text: (key) => attribute(node, key)?.s,
    };
  });
}

/** A finding with the node it is about. */
export function problemAt({ node, opset }: NodeFacts, finding: Finding): Problem {
  return { ...finding, node: nodeLabel(node), op: node.opType, opset };
}
