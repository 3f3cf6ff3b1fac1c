import { OnnxMishError } from '../base/error.js';
import type { Advice } from '../base/option-hint.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, opsetOf, type Scope } from '../onnx/document.js';
import { concat, messageField, varint } from '../onnx/encode.js';
import { createReader, type Field, walk } from '../onnx/reader.js';
import { type Edit, replacing } from '../onnx/splice.js';
import { NEWEST_OPSET, OPSET_CHANGES } from './opset-changes.js';

// Field numbers; the schema is proto/onnx.proto3.
const MODEL_IMPORT = 8;
const IMPORT = { domain: 1, version: 2 };
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_NAME = 1;

const CONVERT = 'Convert the model with onnx.version_converter';
/** onnx.version_converter drops the functions and keeps their calls. */
const INLINE = 'Inline its functions first, with onnx.inliner.inline_local_functions';

/** The reason why an opset cannot be reached by changing the opset number and dropping attributes. */
interface Obstacle {
  readonly what: string;
  /** The lowest opset that cannot be reached. */
  readonly opset: number;
  readonly fix: string;
}

/** Returns whether a node means the same without this attribute, in the opset that dropped it. */
function canDrop(node: Node, name: string): boolean {
  const value = attribute(node, name);
  switch (name) {
    case 'consumed_inputs':
    case 'broadcast': // without an axis, it is what later opsets always do
      return true;
    case 'is_test': // its default was training
      return value !== undefined && value.i !== 0;
    case 'ratio': // Dropout copies its input
      return value === undefined || node.outputs.length === 1;
    case 'spatial':
      return value === undefined || value.i !== 0;
    case 'axis': // without broadcasting it has no meaning
      return value === undefined || (attribute(node, 'broadcast')?.i ?? 0) === 0;
    default:
      return value === undefined;
  }
}

/** Returns whether an opset's change of an operator does not affect this node. */
function isUnmoved(node: Node, scope: Scope, opset: number): boolean {
  const { opType, outputs, inputs } = node;
  const text = (name: string) => attribute(node, name)?.s ?? '';
  switch (`${opType} ${opset}`) {
    case 'BatchNormalization 14':
    case 'Dropout 10': // the mask's type
      return outputs.length === 1;
    case 'Split 18': // without sizes it needs the number of its outputs
      return Boolean(inputs[1]);
    case 'Resize 13':
      return text('coordinate_transformation_mode') !== 'tf_half_pixel_for_nn';
    case 'ConvTranspose 11': // a padding that follows from the sizes may be odd
      return !/SAME/.test(text('auto_pad')) && attribute(node, 'output_shape') === undefined;
    case 'Softmax 13':
    case 'LogSoftmax 13':
    case 'Hardmax 13': {
      // Up to opset 12 these operators flatten all axes from `axis` on.
      const axis = attribute(node, 'axis')?.i;
      const rank = rankOf(scope, outputs[0]) ?? rankOf(scope, inputs[0]);
      return (
        axis === -1 || (rank !== undefined && (axis ?? 1) === rank - 1 && (axis !== undefined || rank === 2))
      );
    }
    default:
      return false;
  }
}

function rankOf({ inputs, outputs, values }: Scope, name = ''): number | undefined {
  const find = (all: Scope['inputs']) => all.find((value) => value.name === name);
  return (values.get(name) ?? find(outputs) ?? find(inputs))?.dims?.length;
}

/** Returns the attributes that a node loses between two opsets, or the first opset that changes the node's meaning. */
function changesOf(node: Node, scope: Scope, from: number, to: number): string[] | number {
  const table = Object.hasOwn(OPSET_CHANGES, node.opType) ? OPSET_CHANGES[node.opType] : undefined;
  const gone: string[] = [];
  for (const change of node.domain === '' ? (table?.split(' ') ?? []) : []) {
    const [version = '', names] = change.split(':');
    const opset = Number(version);
    if (opset <= from || opset > to || isUnmoved(node, scope, opset)) continue;
    const list = names?.split('|') ?? [];
    if (list.length === 0 || !list.every((name) => canDrop(node, name))) return opset;
    gone.push(...list);
  }
  return gone.filter((name) => attribute(node, name) !== undefined);
}

/** Finds the reason why a model cannot be raised to an opset; undefined if it can. */
export function opsetObstacle(document: OnnxDocument, to: number): Obstacle | undefined {
  const from = opsetOf(document.graph);
  const [called] = document.functions;
  if (called !== undefined)
    return { what: `${called.path} has an opset of its own`, opset: from + 1, fix: INLINE };
  for (const scope of document.scopes) {
    for (const node of scope.nodes) {
      const opset = changesOf(node, scope, from, to);
      if (typeof opset === 'number')
        return {
          what: `${node.opType} '${nodeLabel(node)}' is another operator from opset ${opset} on`,
          opset,
          fix: CONVERT,
        };
    }
  }
  return undefined;
}

/**
 * Sets the opset of a document while `use` runs; `use` gets the edits that raise the opset in the file. Drops attributes that the new opset lacks.
 * Throws `bad-usage` with the node if the new opset would change a node's meaning.
 */
export async function raiseOpset<T>(
  document: OnnxDocument,
  to: number,
  use: (edits: readonly Edit[]) => Promise<T>,
): Promise<T> {
  const { graph, source } = document;
  const from = opsetOf(graph);
  const bad = (what: string, { text, option }: Advice) =>
    new OnnxMishError('bad-usage', what, { where: source.name, fix: text, option });
  if (!Number.isInteger(to) || to < from || to > NEWEST_OPSET)
    throw bad(`the model cannot be raised from opset ${from} to ${to}`, {
      text: `Give an opset from ${from} to ${NEWEST_OPSET}`,
      option: { opset: null },
    });
  const obstacle = opsetObstacle(document, to);
  if (obstacle !== undefined) {
    const most = obstacle.opset - 1;
    throw bad(
      `the model cannot be raised from opset ${from} to ${to}: ${obstacle.what}`,
      most > from
        ? { text: `${obstacle.fix}, or raise it to opset ${most} at most`, option: { opset: most } }
        : { text: obstacle.fix },
    );
  }
  const edits = [...(await importEdits(document, to)), ...(await attributeEdits(document, from, to))];
  // Nested graphs share this map. The document belongs to the caller, so the old opset is restored afterwards.
  const opsets = graph.opsets as Map<string, number>;
  opsets.set('', to);
  try {
    return await use(edits);
  } finally {
    opsets.set('', from);
  }
}

async function importEdits({ source }: OnnxDocument, to: number): Promise<Edit[]> {
  const reader = createReader(source);
  const imports: Field[] = [];
  await walk(reader, 0, source.size, (field) => {
    if (field.number === MODEL_IMPORT) imports.push(field);
    return undefined;
  });
  const edits: Edit[] = [];
  const number = concat([varint(IMPORT.version * 8), varint(to)]);
  for (const { start, body, end } of imports) {
    const domain = await textIn(reader, body, end, IMPORT.domain);
    if (domain !== '' && domain !== 'ai.onnx') continue;
    const name = domain === '' ? [] : [messageField(IMPORT.domain, new TextEncoder().encode(domain))];
    const bytes =
      edits.length === 0 ? messageField(MODEL_IMPORT, concat([...name, number])) : new Uint8Array(0);
    edits.push({ start, end, bytes, frame: undefined });
  }
  if (edits.length > 0) return edits;
  const { size } = source;
  return [{ start: size, end: size, bytes: messageField(MODEL_IMPORT, number), frame: undefined }];
}

async function attributeEdits(document: OnnxDocument, from: number, to: number): Promise<Edit[]> {
  const reader = createReader(document.source);
  const edits: Edit[] = [];
  for (const scope of document.scopes) {
    for (const node of scope.nodes) {
      const gone = changesOf(node, scope, from, to);
      if (typeof gone === 'number' || gone.length === 0) continue;
      edits.push(replacing(node, await without(document, node, gone)));
    }
  }
  return edits;

  async function without(
    { source }: OnnxDocument,
    { span }: Node,
    names: readonly string[],
  ): Promise<Uint8Array> {
    let inner: Field | undefined;
    await walk(reader, span.start, span.end, (field) => {
      inner = field;
      return undefined;
    });
    const fields: Field[] = [];
    await walk(reader, inner?.body ?? span.end, span.end, (field) => {
      fields.push(field);
      return undefined;
    });
    const kept: Uint8Array[] = [];
    for (const { number, start, body, end } of fields) {
      if (number === NODE_ATTRIBUTE && names.includes(await textIn(reader, body, end, ATTRIBUTE_NAME)))
        continue;
      kept.push(await source.read(start, end - start));
    }
    return messageField(inner?.number ?? 1, concat(kept));
  }
}

async function textIn(reader: ReturnType<typeof createReader>, start: number, end: number, number: number) {
  let text: Field | undefined;
  await walk(reader, start, end, (field) => {
    if (field.number === number) text = field;
    return undefined;
  });
  const found = text as Field | undefined;
  return found === undefined ? '' : new TextDecoder().decode(await reader.bytes(found.body, found.end));
}
