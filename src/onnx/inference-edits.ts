// Puts nodes of training mode into inference mode in a model's file.
import { onnx } from '../../proto/onnx.js';
import { attribute, type Node, type OnnxDocument, opsetOf, type Scope } from './document.js';
import { concat, messageField } from './encode.js';
import { createReader, Wire, walk } from './reader.js';
import { type Edit, replacing } from './splice.js';

/** Opset from which Dropout's training mode is an input, and below which it is an attribute. */
const [INPUT, ATTRIBUTE] = [12, 7];

// Fields of NodeProto; the schema is proto/onnx.proto3.
const NODE = { input: 1, output: 2, attribute: 5 };

/** Returns whether a node is a batch normalisation of opset 14 or later in training mode: it uses the statistics of each run. */
export const usesBatchStatistics = (node: Node): boolean =>
  node.domain === '' &&
  node.opType === 'BatchNormalization' &&
  (attribute(node, 'training_mode')?.i ?? 0) !== 0;

/** Returns the nodes of the main graph and of functions that compute as in training, and whose further outputs nothing reads. */
export function trainingNodes({ scopes }: OnnxDocument): Node[] {
  const read = new Set(
    scopes.flatMap(({ nodes, outputs }) => [
      ...nodes.flatMap(({ inputs }) => inputs),
      ...outputs.map(({ name }) => name),
    ]),
  );
  return scopes
    .filter(({ owner }) => owner === undefined)
    .flatMap((scope) => scope.nodes.filter((node) => isTraining(node, scope)))
    .filter(({ outputs }) => !outputs.slice(1).some((name) => name !== '' && read.has(name)));
}

/** Returns whether a Dropout of opset 12 or later has an input for its mode, by which it may drop elements. */
export const hasModeInput = ({ inputs }: Node, scope: Scope): boolean =>
  opsetOf(scope) >= INPUT && (inputs[2] ?? '') !== '';

function isTraining(node: Node, scope: Scope): boolean {
  const { domain, opType } = node;
  if (domain !== '' || opType !== 'Dropout') return usesBatchStatistics(node);
  if (opsetOf(scope) >= INPUT) return hasModeInput(node, scope);
  return opsetOf(scope) < ATTRIBUTE && (attribute(node, 'is_test')?.i ?? 0) === 0;
}

/** Returns the edits that make these nodes compute as in inference. */
export function inferenceEdits(document: OnnxDocument): Promise<Edit[]> {
  return Promise.all(trainingNodes(document).map((node) => inferenceEdit(document, node)));
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
