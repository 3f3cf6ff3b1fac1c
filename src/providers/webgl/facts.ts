import { type Dims, webglConstant } from '../../mish/webgl/loaded.js';
import { dimensions } from '../../mish/webgl/ranks.js';
import type { Analysis } from '../../onnx/analysis.js';
import {
  attribute,
  type Node,
  nodeLabel,
  type OnnxDocument,
  opsetOf,
  type Scope,
  type StoredTensor,
} from '../../onnx/document.js';

/** Kind of a problem. */
export type ProblemKind =
  /** WebGL has no such operator. */
  | 'operator'
  /** WebGL has the operator, but not in this opset. */
  | 'opset'
  /** An operator of a domain other than ONNX's own. */
  | 'domain'
  /** A call of one of the model's functions. */
  | 'function'
  /** An operator with graphs inside: If, Loop, Scan. */
  | 'graph-attribute'
  /** An element type. */
  | 'element-type'
  /** A constant integer that needs more than 32 bits. */
  | 'value'
  /** An attribute or its value. */
  | 'attribute'
  /** Inputs that are missing, left out or too many. */
  | 'inputs'
  /** Outputs that WebGL does not compute, or cannot return. */
  | 'outputs'
  /** The number of dimensions. */
  | 'rank'
  /** An input that must be a constant. */
  | 'dynamic'
  /** Tensors whose data is in another file. */
  | 'external-data'
  /** A version of the file format. */
  | 'ir-version'
  /** A node that runs, but may be wrong: see `webglMistakes`. */
  | 'mistake';

/** Part of a model that WebGL cannot run or computes wrongly. */
export interface WebglProblem {
  readonly kind: ProblemKind;
  /** Description, as a sentence without its full stop. */
  readonly message: string;
  /** Name of the node, or its operator and output; null for a problem of no node. */
  readonly node: string | null;
  readonly op: string | null;
  /** Opset of the node; null for a problem of no node. */
  readonly opset: number | null;
}

/** Result of a rule for a node. */
export type Finding = Pick<WebglProblem, 'kind' | 'message'>;

/** Facts about a node of the main graph, without running the model. */
export interface NodeFacts {
  readonly node: Node;
  readonly scope: Scope;
  /** Opset of the node. */
  readonly opset: number;
  /** Returns the element type of an input; undefined if unknown. */
  type(slot: number): number | undefined;
  /** Returns the dimensions of an input, as far as known; undefined if the rank is unknown. */
  dims(slot: number): Dims | undefined;
  /** Returns the tensor of an input that WebGL treats as constant. */
  constant(slot: number): StoredTensor | undefined;
  /** Returns whether an input is present. */
  has(slot: number): boolean;
  /** Returns an integer attribute. */
  int(name: string): number | undefined;
  /** Returns a string attribute. */
  text(name: string): string | undefined;
}

/** Returns the facts about each node of the main graph, in order. */
export function webglFacts({ graph }: OnnxDocument, { types, index }: Analysis): NodeFacts[] {
  const dims = dimensions(graph, (name) => webglConstant(graph, index, name));
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
      dims: (slot) => dims(name(slot)),
      constant,
      has: (slot) => name(slot) !== '',
      int: (key) => attribute(node, key)?.i,
      text: (key) => attribute(node, key)?.s,
    };
  });
}

/** Adds the node to a finding. */
export function problemAt({ node, opset }: NodeFacts, finding: Finding): WebglProblem {
  return { ...finding, node: nodeLabel(node), op: node.opType, opset };
}
