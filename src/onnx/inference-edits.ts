// Puts nodes of training mode into inference mode in a model's file.
import { onnx } from '../../proto/onnx.js';
import {
  attribute,
  type Node,
  type OnnxDocument,
  opsetOf,
  type Scope,
  tensorOfConstant,
} from './document.js';
import { concat, messageField } from './encode.js';
import { createReader, Wire, walk } from './reader.js';
import { readNumbers } from './small-tensor.js';
import { type Edit, replacing } from './splice.js';

/** Opset from which Dropout's training mode is an input. */
const MODE_INPUT_OPSET = 12;
/** Opset below which Dropout's training mode is an attribute. */
const MODE_ATTRIBUTE_OPSET = 7;

// Fields of NodeProto; the schema is proto/onnx.proto3.
const NODE = { input: 1, output: 2, attribute: 5 };

/**
 * Returns whether a node is a batch normalisation in training mode: it uses the statistics of each run. From opset 14 on an
 * attribute says so. Before, further outputs do, even if nothing reads them.
 */
export const usesBatchStatistics = (node: Node): boolean =>
  node.domain === '' &&
  node.opType === 'BatchNormalization' &&
  ((attribute(node, 'training_mode')?.i ?? 0) !== 0 || node.outputs.length > 1);

/** Returns the names of the values that depend on a scope's inputs. A node with a nested graph counts as reading them all. */
export function valuesOfInputs(scope: Pick<Scope, 'inputs' | 'initializers' | 'nodes'>): ReadonlySet<string> {
  const computed = new Set(scope.inputs.flatMap(({ name }) => (scope.initializers.has(name) ? [] : [name])));
  for (const { inputs, outputs, attributes } of scope.nodes) {
    const varies = attributes.some(({ graphs }) => graphs) || inputs.some((name) => computed.has(name));
    if (varies) for (const name of outputs) if (name !== '') computed.add(name);
  }
  return computed;
}

/**
 * Returns the batch normalisations of a scope that use the statistics of each run's samples. Weight standardisation is none of
 * them: PyTorch writes it as a batch normalisation of a weight.
 */
export function batchStatisticsNodes(scope: Scope): Node[] {
  const nodes = scope.nodes.filter(usesBatchStatistics);
  // A nested graph reads what is around it, too.
  if (nodes.length === 0 || scope.owner !== undefined) return nodes;
  const computed = valuesOfInputs(scope);
  return nodes.filter(({ inputs: [x = ''] }) => computed.has(x));
}

/** Returns the nodes of the main graph and of functions that compute as in training, and whose further outputs nothing reads. */
export async function trainingNodes(document: OnnxDocument): Promise<Node[]> {
  const { scopes } = document;
  const read = new Set(
    scopes.flatMap(({ nodes, outputs }) => [
      ...nodes.flatMap(({ inputs }) => inputs),
      ...outputs.map(({ name }) => name),
    ]),
  );
  const found: Node[] = [];
  for (const scope of scopes.filter(({ owner }) => owner === undefined)) {
    const norms = new Set(batchStatisticsNodes(scope));
    for (const node of scope.nodes) {
      const isRead = node.outputs.slice(1).some((name) => name !== '' && read.has(name));
      if (!isRead && (norms.has(node) || (await drops(document, node, scope)))) found.push(node);
    }
  }
  return found;
}

/** Returns whether a Dropout of opset 12 or later may drop elements: it has an input for its mode, which is not constantly false. */
export async function mayDrop(document: OnnxDocument, { inputs }: Node, scope: Scope): Promise<boolean> {
  const [, , mode = ''] = inputs;
  if (opsetOf(scope) < MODE_INPUT_OPSET || mode === '') return false;
  const maker = scope.nodes.find(({ outputs }) => outputs.includes(mode));
  const isInput = document.irVersion >= 4 && scope.inputs.some(({ name }) => name === mode);
  const constant = isInput ? undefined : (scope.initializers.get(mode) ?? tensorOfConstant(maker));
  return (await readNumbers(document, constant))?.[0] !== 0;
}

/** Returns whether a node is a Dropout in training mode. */
async function drops(document: OnnxDocument, node: Node, scope: Scope): Promise<boolean> {
  const { domain, opType } = node;
  if (domain !== '' || opType !== 'Dropout') return false;
  if (opsetOf(scope) >= MODE_INPUT_OPSET) return mayDrop(document, node, scope);
  return opsetOf(scope) < MODE_ATTRIBUTE_OPSET && (attribute(node, 'is_test')?.i ?? 0) === 0;
}

/** Returns the edits that make these nodes compute as in inference. */
export async function inferenceEdits(document: OnnxDocument): Promise<Edit[]> {
  return Promise.all((await trainingNodes(document)).map((node) => inferenceEdit(document, node)));
}

async function inferenceEdit({ source }: OnnxDocument, node: Node): Promise<Edit> {
  const reader = createReader(source);
  const { number, body, end } = await reader.field(node.span.start, node.span.end);
  const kept: Promise<Uint8Array>[] = [];
  let [inputs, outputs, attributes] = [0, 0, 0];
  await walk(reader, body, end, (field) => {
    if (field.number === NODE.output && ++outputs > 1) return undefined;
    if (field.number === NODE.input && ++inputs > 2 && node.opType === 'Dropout') return undefined;
    // A scanned node has its attributes in the order of their fields.
    const isAttribute = field.number === NODE.attribute && field.wire === Wire.LEN;
    if (isAttribute && MODES.has(node.attributes[attributes++]?.name ?? '')) return undefined;
    kept.push(source.read(field.start, field.end - field.start));
    return undefined;
  });
  const isOld = node.opType === 'Dropout' && (node.inputs[2] ?? '') === '';
  return replacing(
    node,
    messageField(number, concat([...(await Promise.all(kept)), ...(isOld ? [IS_TEST] : [])])),
  );
}

const MODES = new Set(['training_mode', 'is_test']);

/** The attribute of Dropout before opset 7 that makes it pass its input on. */
const IS_TEST = onnx.NodeProto.encode({
  attribute: [{ name: 'is_test', type: onnx.AttributeProto.AttributeType.INT, i: 1 }],
}).finish();
