import type { ByteSource } from './source.js';

/** The bytes [start, end) of the source. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A length-delimited field that encloses others: an edit inside changes its length prefix. */
export interface Frame extends Span {
  /** Offset of the length varint; `start` is the first byte after it. */
  readonly lengthAt: number;
  readonly parent: Frame | undefined;
}

/** Metadata of a tensor; the data stays in the file. */
export interface StoredTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly elemType: number;
  /** The value of a single-element tensor, if the model file holds it. */
  readonly scalar?: number | undefined;
  /** Present if a small float tensor contains -Infinity. */
  readonly minusInfinity?: true;
  /** The external_data entries, such as `location`, if the data is in another file. */
  readonly external?: ReadonlyMap<string, string>;
  /** The tensor's message, for replacing its content; undefined for a sparse tensor's values. */
  readonly frame?: Frame | undefined;
}

export interface Attribute {
  readonly name: string;
  /** Number from AttributeProto.AttributeType. */
  readonly type: number;
  readonly f: number;
  readonly i: number;
  readonly s?: string;
  readonly strings?: readonly string[];
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly tensor?: StoredTensor;
  readonly graphs?: readonly Scope[];
  /** Name of the enclosing function's attribute that gives the value. */
  readonly ref?: string;
}

export interface Node {
  readonly opType: string;
  /** Empty for ONNX's default domain, which the file may also call 'ai.onnx'. */
  readonly domain: string;
  readonly overload: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Attribute[];
  /** Position among the nodes of its scope. */
  readonly index: number;
  /** The whole field, including its tag. */
  readonly span: Span;
  /** The message of the enclosing graph or function. */
  readonly frame: Frame;
  /** Whether a name contains U+FFFD: it was probably invalid UTF-8, and its decoded text cannot restore the bytes. */
  readonly lossyNames: boolean;
}

export interface DeclaredValue {
  readonly name: string;
  /** Number from TensorProto.DataType; 0 if the value is not a tensor, or its type is absent. */
  readonly elemType: number;
  /** The type of a sequence, optional or map, as a code of container-types.ts; absent for other types. */
  readonly containerType?: number;
  /** A number, a symbol, or null for an unknown dimension; undefined when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | undefined;
  /** The field in a graph; undefined for a function's inputs and outputs, which are only names. */
  readonly span?: Span;
  readonly frame?: Frame;
}

/** A value_info entry, with its position in the file. */
export interface PlacedValue extends DeclaredValue {
  readonly span: Span;
  readonly frame: Frame;
}

/** A graph, a nested graph of a control-flow operator, or a model-local function. */
export interface Scope {
  readonly kind: 'graph' | 'function';
  /** Path for messages: `graph`, `graph/If_3.then_branch`, `function local.Block`. */
  readonly path: string;
  /** The graph around a nested graph, whose names the nested graph sees. Undefined for a function. */
  readonly parent: Scope | undefined;
  /** The node that has a nested graph as an attribute. */
  readonly owner: Node | undefined;
  /** The graph or function at the top of this nesting. */
  readonly root: Scope;
  readonly inputs: readonly DeclaredValue[];
  readonly outputs: readonly DeclaredValue[];
  readonly initializers: ReadonlyMap<string, StoredTensor>;
  /** value_info of intermediate values, by name. */
  readonly values: ReadonlyMap<string, PlacedValue>;
  readonly nodes: readonly Node[];
  /** Opset by domain ('' is ONNX's default domain). A nested graph shares the opsets of its root. */
  readonly opsets: ReadonlyMap<string, number>;
  /** For a function: its domain, name and overload, which nodes call it by. */
  readonly callee?: { readonly domain: string; readonly name: string; readonly overload: string };
}

export interface MetadataEntry {
  readonly key: string;
  readonly value: string;
  readonly span: Span;
}

/** The structure of a model, with the position of each part in the source. */
export interface OnnxDocument {
  readonly source: ByteSource;
  readonly irVersion: number;
  readonly producer: string;
  readonly graph: Scope;
  readonly functions: readonly Scope[];
  /** Every scope: the main graph, then the functions, each followed by its nested graphs. */
  readonly scopes: readonly Scope[];
  readonly metadata: readonly MetadataEntry[];
  /** Every tensor with external data, with the path of its scope. */
  readonly external: readonly { readonly tensor: StoredTensor; readonly scope: string }[];
  /** Checksum, with its version, of names, types, nodes, attributes and metadata. Weight data is not included. */
  readonly structure: string;
}

/**
 * The opset for a model that does not import ONNX's default domain. Runtimes then take their newest opset; every runtime since
 * 2021 has the operators of this opset.
 */
const WITHOUT_IMPORT = 13;

/** Returns the opset of ONNX's default domain in this scope; 1 for a model of IR 1 or 2, which imports nothing. */
export function opsetOf({ opsets }: Scope): number {
  return opsets.get('') ?? (opsets.size === 0 ? 1 : WITHOUT_IMPORT);
}

/** Returns a node's attribute by name. */
export function attribute(node: Node, name: string): Attribute | undefined {
  return node.attributes.find((attribute) => attribute.name === name);
}

/** Returns the tensor of a Constant node; undefined for any other node, and if the value is not a tensor. */
export function tensorOfConstant(node: Node | undefined): StoredTensor | undefined {
  return node?.opType === 'Constant' && node.domain === '' ? attribute(node, 'value')?.tensor : undefined;
}

/** Explains why a node cannot be deleted and rewritten from its decoded fields; undefined when it can. */
export function rewriteObstacle(node: Node): string | undefined {
  if (node.lossyNames) return 'its names are not valid UTF-8';
  if (node.attributes.some(({ graphs }) => graphs !== undefined)) return 'it has a graph inside';
  return undefined;
}

/** Returns a label for messages: the node's name, or its operator and first output. */
export function nodeLabel(node: Node): string {
  return node.name !== '' ? node.name : `${node.opType} → ${node.outputs[0] ?? '?'}`;
}
