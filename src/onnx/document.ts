import type { ByteSource } from './source.js';

/** The bytes [start, end) of the source. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A length-delimited field that encloses others: changing what is inside changes its length prefix. */
export interface Frame extends Span {
  /** Offset of the length varint; `start` is the first byte after it. */
  readonly lengthAt: number;
  readonly parent: Frame | undefined;
}

/** What a tensor says about itself; its data stays in the file. */
export interface Tensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly elemType: number;
  /** The value, when there is exactly one and it stands in the file. */
  readonly scalar?: number | undefined;
  /** A small float tensor has -Infinity in it. */
  readonly minusInfinity?: true;
  /** `location` and the like, when the data is in another file. */
  readonly external?: ReadonlyMap<string, string>;
  /** The message, whose content can be replaced; none for a sparse tensor's values. */
  readonly frame?: Frame | undefined;
}

export interface Attribute {
  readonly name: string;
  /** AttributeProto.AttributeType. */
  readonly type: number;
  readonly f: number;
  readonly i: number;
  readonly s?: string;
  readonly strings?: readonly string[];
  readonly ints?: readonly number[];
  readonly tensor?: Tensor;
  readonly graphs?: readonly Scope[];
  /** The attribute of the enclosing function that this one stands for. */
  readonly ref?: string;
}

export interface Node {
  readonly opType: string;
  /** Empty for ONNX's own operators, whether the file says '' or 'ai.onnx'. */
  readonly domain: string;
  readonly overload: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Attribute[];
  /** Position among the nodes of its scope. */
  readonly index: number;
  /** From the tag to the end. */
  readonly span: Span;
  /** The graph or function message it lies in. */
  readonly frame: Frame;
  /** Some name holds U+FFFD, so it was probably not valid UTF-8 and cannot be written again from its decoded text. */
  readonly lossyNames: boolean;
}

export interface Value {
  readonly name: string;
  /** TensorProto.DataType; 0 when the value is no tensor or its type is not given. */
  readonly elemType: number;
  /** Whether its type is a sequence, a map or an optional. */
  readonly container?: boolean;
  /** The type of a sequence, optional or map, as container-types.ts writes it. */
  readonly containerType?: number;
  /** A number, a symbol, or null for an unknown dimension; undefined when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | undefined;
  /** Its place in a graph; a function's inputs and outputs are names only. */
  readonly span?: Span;
  readonly frame?: Frame;
}

/** A value_info entry, with its place. */
export interface PlacedValue extends Value {
  readonly span: Span;
  readonly frame: Frame;
}

/** A graph, a body of a control-flow operator, or a model-local function. */
export interface Scope {
  readonly kind: 'graph' | 'function';
  /** How messages name it: `graph`, `graph/If_3.then_branch`, `function local.Block`. */
  readonly path: string;
  /** The graph around a nested graph, whose names it sees. A function has none. */
  readonly parent: Scope | undefined;
  /** The node whose attribute a nested graph is. */
  readonly owner: Node | undefined;
  /** The graph or function at the top of this nesting. */
  readonly root: Scope;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** value_info of intermediate values, by name. */
  readonly values: ReadonlyMap<string, PlacedValue>;
  readonly nodes: readonly Node[];
  /** Operator set version by domain ('' is ONNX's own); a nested graph has its root's. */
  readonly opsets: ReadonlyMap<string, number>;
  /** For a function: its domain, name and overload, as nodes call it. */
  readonly callee?: { readonly domain: string; readonly name: string; readonly overload: string };
}

export interface MetadataEntry {
  readonly key: string;
  readonly value: string;
  readonly span: Span;
}

/** The structure of a model, with the place of each part in the source. */
export interface OnnxDocument {
  readonly source: ByteSource;
  readonly irVersion: number;
  readonly producer: string;
  readonly graph: Scope;
  readonly functions: readonly Scope[];
  /** Every scope, nested ones included, in file order of their roots. */
  readonly scopes: readonly Scope[];
  readonly metadata: readonly MetadataEntry[];
  /** Every tensor whose data is in another file, with its scope's path. */
  readonly external: readonly { readonly tensor: Tensor; readonly scope: string }[];
  /** A checksum of what was read, with its version: names, types, nodes, attributes, metadata, but no data of weights. */
  readonly structure: string;
}

/**
 * The version of ONNX's own operators that is taken where others are imported only. A runtime takes its newest, which differs;
 * what this one has, all have had since 2021.
 */
const WITHOUT_IMPORT = 13;

/** The version of ONNX's own operators in this scope. */
export function opsetOf({ opsets }: Scope): number {
  return opsets.get('') ?? (opsets.size === 0 ? 1 : WITHOUT_IMPORT);
}

/** The attribute of this name. */
export function attribute(node: Node, name: string): Attribute | undefined {
  return node.attributes.find((attribute) => attribute.name === name);
}

/** Why a node cannot be taken out and written again by what is known of it; undefined when it can. */
export function rewriteObstacle(node: Node): string | undefined {
  if (node.lossyNames) return 'its names are not valid UTF-8';
  if (node.attributes.some(({ graphs }) => graphs !== undefined)) return 'it has a graph inside';
  return undefined;
}

/** How messages name a node: its name, or its operator and first output. */
export function nodeLabel(node: Node): string {
  return node.name !== '' ? node.name : `${node.opType} → ${node.outputs[0] ?? '?'}`;
}
