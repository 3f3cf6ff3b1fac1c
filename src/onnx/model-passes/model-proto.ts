// A whole model as a decoded message, for rewritings that touch most of it.
import { onnx } from '../../../proto/onnx.js';
import { OnnxMishError } from '../../base/error.js';
import type { OnnxDocument } from '../document.js';

export type ModelProto = onnx.ModelProto;
export type GraphProto = onnx.GraphProto.$Properties;
export type NodeProto = onnx.NodeProto.$Properties;
export type TensorProto = onnx.TensorProto.$Properties;
export type AttributeProto = onnx.AttributeProto.$Properties;

/** Decodes the whole model of a scanned document. Weights share the document's bytes. Throws `malformed`. */
export async function decodeModel({ source }: OnnxDocument): Promise<ModelProto> {
  const bytes = source.bytes ?? (await source.read(0, source.size));
  try {
    return onnx.ModelProto.decode(bytes);
  } catch (cause) {
    throw new OnnxMishError('malformed', 'the model cannot be decoded as a whole', {
      where: source.name,
      fix: 'Check that the file was copied whole',
      cause,
    });
  }
}

/** Encodes a model. */
export function encodeModel(model: ModelProto): Uint8Array {
  return onnx.ModelProto.encode(model).finish();
}

/** Returns the graphs directly inside a node. */
export function bodiesOf(node: NodeProto): GraphProto[] {
  return (node.attribute ?? []).flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])]);
}

/** Returns all graphs of a model at any depth: the main graph, and those inside its nodes and inside functions. */
export function graphsOf(model: ModelProto): GraphProto[] {
  const graphs: GraphProto[] = model.graph ? [model.graph] : [];
  for (const { node } of model.functions) for (const one of node ?? []) graphs.push(...bodiesOf(one));
  // The list grows while the loop goes over it.
  for (const graph of graphs) for (const node of graph.node ?? []) graphs.push(...bodiesOf(node));
  return graphs;
}

/** Returns all nodes of a model at any depth. */
export function nodesOf(model: ModelProto): NodeProto[] {
  const nodes = graphsOf(model).flatMap(({ node }) => node ?? []);
  for (const { node } of model.functions) for (const one of node ?? []) nodes.push(one);
  return nodes;
}

/** Returns the opset of a domain; undefined if the model does not import it. */
export function importedOpset(
  imports: readonly onnx.OperatorSetIdProto.$Properties[],
  domain: string,
): number | undefined {
  const isWanted = isOnnxDomain(domain) ? isOnnxDomain : (one: string | null | undefined) => one === domain;
  return imports.find((one) => isWanted(one.domain))?.version ?? undefined;
}

/** Returns whether a domain is ONNX's default domain. */
export const isOnnxDomain = (domain: string | null | undefined) => !domain || domain === 'ai.onnx';

/** Returns whether a node is an operator of ONNX's default domain. */
export const isOperator = (node: NodeProto, opType: string) =>
  node.opType === opType && isOnnxDomain(node.domain);

/** Returns a node's attribute by name. */
export const attributeOf = ({ attribute }: NodeProto, name: string): AttributeProto | undefined =>
  attribute?.find((one) => one.name === name);

/** Returns an Identity from one name to another. */
export const identityNode = (from: string, to: string): NodeProto => ({
  opType: 'Identity',
  input: [from],
  output: [to],
});
