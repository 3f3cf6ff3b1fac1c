import { onnx } from '../../proto/onnx.js';
import type { Node, OnnxDocument, Scope } from '../onnx/document.js';
import { concat, importField, nodeField } from '../onnx/encode.js';
import { namer } from '../onnx/names.js';
import { scalarTensor } from '../onnx/scalar.js';
import { type Edit, replacing } from '../onnx/splice.js';
import { integerTensor, type Quantization } from './quantization.js';

const Type = onnx.AttributeProto.AttributeType;
const utf8 = new TextEncoder();

/**
 * Returns a node with other inputs. The caller has checked `rewriteObstacle`. Each attribute has to be a number, a text or a list of
 * texts or numbers, and no reference to an attribute of a function.
 */
export function withInputs(
  { opType, name, domain, outputs, attributes }: Node,
  input: readonly string[],
): onnx.INodeProto {
  const attribute = attributes.map(({ name, type, f, i, s = '', ints = [], floats = [], strings = [] }) => {
    if (type === Type.FLOAT) return { name, type, f };
    if (type === Type.INT) return { name, type, i };
    if (type === Type.STRING) return { name, type, s: utf8.encode(s) };
    if (type === Type.STRINGS) return { name, type, strings: strings.map((text) => utf8.encode(text)) };
    if (type === Type.FLOATS) return { name, type, floats: [...floats] };
    return { name, type, ints: [...ints] };
  });
  return { opType, name, domain, input: [...input], output: [...outputs], attribute };
}

/** Returns a Constant node of this name. */
export const tensorConstant = (name: string, t: onnx.ITensorProto): onnx.INodeProto => {
  return { opType: 'Constant', name, output: [name], attribute: [{ name: 'value', type: Type.TENSOR, t }] };
};

/** Returns an attribute that is an integer. */
export const intAttribute = (name: string, i: number): onnx.IAttributeProto => ({ name, type: Type.INT, i });

/** Returns an attribute that is a float. */
export const floatAttribute = (name: string, f: number): onnx.IAttributeProto => ({
  name,
  type: Type.FLOAT,
  f,
});

/** Collects the edits of nodes, and the constants that these read. */
export interface NodeWriter {
  readonly fresh: (wanted: string) => string;
  /** Adds a constant to a scope; returns its name. */
  define(scope: Scope, wanted: string, tensor: onnx.ITensorProto): string;
  /** Adds a scale and a zero point to a scope; returns their names. */
  defineQuantization(scope: Scope, prefix: string, quantization: Quantization): readonly [string, string];
  /** Inserts nodes before a node. */
  insert(scope: Scope, before: Node, nodes: readonly onnx.INodeProto[]): void;
  replace(scope: Scope, node: Node, nodes: readonly onnx.INodeProto[]): void;
  /** Deletes a node with the value_info of its outputs. */
  drop(scope: Scope, node: Node): void;
  /** Deletes the value_info of a node's outputs. */
  forget(scope: Scope, node: Node): void;
  /** Returns whether a node was replaced or deleted. */
  isDone(node: Node): boolean;
  /** Returns all edits, with an import of the domain unless the model has it. */
  finish(domain: string | undefined): readonly Edit[];
}

export function createNodeWriter(document: OnnxDocument): NodeWriter {
  const fresh = namer(document);
  const edits: Edit[] = [];
  const constants = new Map<Scope, onnx.INodeProto[]>();
  const done = new Set<Node>();
  const nothing = new Uint8Array(0);
  const encode = ({ kind }: Scope, nodes: readonly onnx.INodeProto[]) =>
    concat(nodes.map((node) => nodeField(kind, node)));

  function define(scope: Scope, wanted: string, tensor: onnx.ITensorProto): string {
    const name = fresh(wanted);
    const list = constants.get(scope) ?? [];
    constants.set(scope, list);
    list.push(tensorConstant(name, tensor));
    return name;
  }
  function insert(scope: Scope, { span: { start }, frame }: Node, nodes: readonly onnx.INodeProto[]): void {
    edits.push({ start, end: start, frame, bytes: encode(scope, nodes) });
  }
  function forget(scope: Scope, { outputs }: Node): void {
    for (const name of outputs) {
      const info = scope.values.get(name);
      if (info !== undefined) edits.push(replacing(info, nothing));
    }
  }
  return {
    fresh,
    define,
    insert,
    isDone: (node) => done.has(node),
    defineQuantization: (scope, prefix, { scale, zeroPoint, elemType, type }) => [
      define(scope, `${prefix}/scale`, scalarTensor(scale, type)),
      define(scope, `${prefix}/zero_point`, integerTensor([zeroPoint], elemType)),
    ],
    replace(scope, node, nodes) {
      done.add(node);
      edits.push(replacing(node, encode(scope, nodes)));
    },
    forget,
    drop(scope, node) {
      done.add(node);
      edits.push(replacing(node, nothing));
      forget(scope, node);
    },
    finish(domain) {
      for (const [scope, nodes] of constants) {
        const [first] = scope.nodes;
        if (first !== undefined) insert(scope, first, nodes);
      }
      const { size } = document.source;
      if (domain !== undefined && !document.graph.opsets.has(domain))
        edits.push({ start: size, end: size, bytes: importField(domain, 1), frame: undefined });
      return edits;
    },
  };
}
