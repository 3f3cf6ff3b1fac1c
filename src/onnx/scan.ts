import { onnx } from '../../proto/onnx.js';
import { OnnxMishError } from '../base/error.js';
import { addChecksum, checksumText, startChecksum } from './checksum.js';
import type {
  Attribute,
  DeclaredValue,
  Frame,
  MetadataEntry,
  OnnxDocument,
  PlacedValue,
  Scope,
  StoredTensor,
} from './document.js';
import {
  addSmall,
  collect,
  createReader,
  type Field,
  keyOf,
  light,
  type Reader,
  Wire,
  walk,
} from './reader.js';
import { METADATA_FIELD, scanEntry } from './scan-metadata.js';
import {
  type Context,
  type Draft,
  type NodeDraft,
  newScope,
  type Owner,
  type ScopeDraft,
} from './scan-scope.js';
import {
  decode,
  frameOf,
  opsetMap,
  scanEach,
  scanSparse,
  scanTensor,
  scanValue,
  spanOf,
  text,
  weigh,
} from './scan-values.js';
import { ScannedNode } from './scanned-node.js';
import { loadSignatures } from './signature.js';
import { type ModelInput, openInput } from './source.js';

const MAX_GRAPH_DEPTH = 100;
/** Version of the structure checksum. Checksums of different versions cannot be compared. */
export const STRUCTURE_VERSION = 1;
/** Maximum number of cached attribute lists, and maximum size of a cached list in bytes. */
const MAX_PLAIN = 4096;
const MAX_PLAIN_BYTES = 256;
// Field numbers for the walk; the schema is proto/onnx.proto3.
const MODEL = { doc: 6, graph: 7, training: 20, functions: 25, configuration: 26 };
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13, sparse: 15 };
const FUNCTION = { node: 7, doc: 8, attributeProto: 11, valueInfo: 12, metadata: 14 };
const NODE = { attribute: 5, doc: 6, metadata: 9, devices: 10 };
const ATTRIBUTE = { s: 4, tensor: 5, graph: 6, tensors: 10, graphs: 11, doc: 13, sparse: 22, sparses: 23 };
const ATTRIBUTE_LISTS = [7, 8, 9, 14, 15]; // floats, ints, strings, type_proto(s)

/**
 * Reads the structure of a model and the position of each part. Skips the weights.
 * Throws `not-onnx` for a file of another kind, `malformed` for a truncated or invalid model.
 */
export async function scan(input: ModelInput, most?: number): Promise<OnnxDocument> {
  const source = await openInput(input);
  const reader = createReader(source, most);
  try {
    return await scanModel(reader);
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'malformed') throw error;
    // Pages load the signatures of other formats on demand, only for a file that is not a model.
    const head = await source.read(0, Math.min(512, source.size));
    const { sniff } = await import('./sniff.js');
    const other = sniff(head);
    if (other === undefined) throw error;
    throw new OnnxMishError('not-onnx', other.what, { where: source.name, fix: other.fix, cause: error });
  }
}

async function scanModel(reader: Reader): Promise<OnnxDocument> {
  const { source } = reader;
  const graphs: Field[] = [];
  const functions: Field[] = [];
  const entries: Field[] = [];
  const bytes = await light(reader, 0, source.size, (field) => {
    const { number, wire } = field;
    if (wire !== Wire.LEN) return false;
    if (number === MODEL.graph) collect(reader, graphs, field);
    else if (number === MODEL.functions) collect(reader, functions, field);
    else if (number === METADATA_FIELD) collect(reader, entries, field);
    else return number === MODEL.doc || number === MODEL.training || number === MODEL.configuration;
    return true;
  });
  const model = decode(reader, onnx.ModelProto, bytes, 0);
  const incomplete = (what: string) =>
    new OnnxMishError('malformed', what, {
      where: source.name,
      fix: 'Check that it was copied or downloaded whole',
    });
  if (graphs.length === 0) throw incomplete('the file has no graph: it is not an ONNX model, or truncated');
  const opsets = opsetMap(model.opsetImport);
  // Before IR 3 models had a single operator set, without an import.
  if (opsets.size === 0 && model.irVersion >= 3)
    throw incomplete('the model imports no operator set; the file may be truncated');

  const context: Context = {
    reader,
    scopes: [],
    external: [],
    paths: new Map(),
    operators: new Map(),
    plain: new Map(),
  };
  const graph = newScope(context, 'graph', 'graph', opsets);
  for (const field of graphs) await scanGraph(context, graph, field, undefined, 0);
  const locals: Scope[] = [];
  for (const field of functions) locals.push(await scanFunction(context, field));
  const metadata: MetadataEntry[] = [];
  for (const field of entries) metadata.push(await scanEntry(reader, field));
  await loadSignatures([graph, ...locals].flatMap((scope) => [...scope.opsets.keys()]));
  const producer = `${model.producerName} ${model.producerVersion}`.trim();
  const { scopes, external } = context;
  return {
    source,
    irVersion: model.irVersion,
    producer,
    graph,
    functions: locals,
    scopes,
    metadata,
    external,
    structure: `${STRUCTURE_VERSION}:${checksumText(reader.checksum)}`,
  };
}

/** Reads an occurrence of a graph field into `scope`, since protobuf merges several occurrences. */
async function scanGraph(
  context: Context,
  scope: ScopeDraft,
  field: Field,
  parent: Frame | undefined,
  depth: number,
): Promise<void> {
  const { reader } = context;
  if (depth > MAX_GRAPH_DEPTH)
    throw reader.fail(`graphs are nested more than ${MAX_GRAPH_DEPTH} deep`, field.start);
  const frame = frameOf(field, parent);
  // No await for fields in the window: there may be millions.
  const placed = (part: Field, keep: (value: PlacedValue) => unknown): undefined | Promise<void> => {
    const value = scanValue(reader, scope, part);
    const place = ({ name, elemType, dims, ...more }: DeclaredValue) =>
      void keep({
        name,
        elemType,
        dims,
        ...(more.containerType !== undefined && more),
        span: spanOf(part),
        frame,
      });
    return value instanceof Promise ? value.then(place) : place(value);
  };
  const store = (tensor: StoredTensor | undefined) => {
    if (tensor !== undefined) scope.initializers.set(tensor.name, tensor);
  };
  await walk(reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN) return addSmall(reader, part);
    switch (part.number) {
      case GRAPH.node:
        return scanNode(context, scope, part, frame, depth);
      case GRAPH.initializer:
        return scanTensor(context, scope, [part], 'an initializer', frame).then(store);
      case GRAPH.sparse:
        return scanSparse(context, scope, [part]).then(store);
      case GRAPH.input:
        return placed(part, (value) => scope.inputs.push(value));
      case GRAPH.output:
        return placed(part, (value) => scope.outputs.push(value));
      case GRAPH.valueInfo:
        return placed(part, (value) => scope.values.set(value.name, value));
      default:
        return addSmall(reader, part);
    }
  });
}

async function scanFunction(context: Context, field: Field): Promise<Scope> {
  const { reader } = context;
  const frame = frameOf(field, undefined);
  const nodes: Field[] = [];
  const values: Field[] = [];
  reader.place = 'a function';
  const heavy = [FUNCTION.doc, FUNCTION.attributeProto, FUNCTION.metadata];
  const bytes = await light(reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN) return false;
    if (part.number === FUNCTION.node) collect(reader, nodes, part);
    else if (part.number === FUNCTION.valueInfo) collect(reader, values, part);
    else return heavy.includes(part.number);
    return true;
  });
  const proto = decode(reader, onnx.FunctionProto, bytes, field.body);
  const path = `function ${proto.domain}.${proto.name}${proto.overload === '' ? '' : `:${proto.overload}`}`;
  const scope = newScope(context, 'function', path, opsetMap(proto.opsetImport));
  scope.callee = { domain: proto.domain, name: proto.name, overload: proto.overload };
  scope.inputs = proto.input.map((name) => ({ name, elemType: 0, dims: undefined }));
  scope.outputs = proto.output.map((name) => ({ name, elemType: 0, dims: undefined }));
  for (const part of values) {
    const value = await scanValue(reader, scope, part);
    scope.values.set(value.name, { ...value, span: spanOf(part), frame });
  }
  for (const part of nodes) await scanNode(context, scope, part, frame, 0);
  return scope;
}

/** Reads a node. Returns a promise only when the window moves, since there may be millions of nodes. */
function scanNode(
  context: Context,
  scope: ScopeDraft,
  field: Field,
  frame: Frame,
  depth: number,
): undefined | Promise<void> {
  const { reader } = context;
  const index = scope.nodes.length;
  reader.place = () => `node ${index} of ${scope.path}`;
  const parts: Field[] = [];
  const bytes = light(reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN) return false;
    if (part.number === NODE.attribute) collect(reader, parts, part);
    else return part.number === NODE.doc || part.number === NODE.metadata || part.number === NODE.devices;
    return true;
  });
  const finish = (message: Uint8Array): undefined | Promise<void> => {
    const proto = decode(reader, onnx.NodeProto, message, field.body);
    if (proto.opType === '') throw reader.fail('it has no operator', field.start);
    const node = new ScannedNode(proto, context.operators, index, field, frame);
    // The node joins its scope before its nested graphs are read.
    scope.nodes.push(node);
    return parts.length === 0 ? undefined : scanAttributes(context, { scope, node }, parts, field, depth);
  };
  return bytes instanceof Promise ? bytes.then(finish) : finish(bytes);
}

/** Reads the attributes of a node. Nodes with identical number and text attributes share a list. */
function scanAttributes(
  context: Context,
  owner: NodeDraft,
  parts: readonly Field[],
  field: Field,
  depth: number,
): undefined | Promise<void> {
  const key = keyOf(context.reader, parts, MAX_PLAIN_BYTES);
  const find = (text: string): undefined | Promise<void> => {
    const known = context.plain.get(text);
    if (known === undefined) return scanNewAttributes(context, owner, parts, field, depth, text);
    weigh(context.reader, parts.length, field.start);
    addChecksum(context.reader.checksum, known.checksum);
    owner.node.attributes = known.list;
    return undefined;
  };
  return key instanceof Promise ? key.then(find) : find(key);
}

async function scanNewAttributes(
  context: Context,
  owner: NodeDraft,
  parts: readonly Field[],
  field: Field,
  depth: number,
  key: string,
): Promise<void> {
  const { reader, plain } = context;
  const before = reader.parts;
  const around = reader.checksum;
  reader.checksum = startChecksum();
  const attributes: Attribute[] = new Array(parts.length);
  const frame = frameOf(field, owner.node.frame);
  for (const [at, part] of parts.entries())
    attributes[at] = await scanAttribute(context, owner, part, frame, depth);
  // Tensors and graphs have a position, and have been counted.
  const isPlain = reader.parts === before + parts.length;
  const { checksum } = reader;
  if (key !== '' && isPlain && plain.size < MAX_PLAIN) plain.set(key, { list: attributes, checksum });
  addChecksum(around, checksum);
  reader.checksum = around;
  owner.node.attributes = attributes;
}

async function scanAttribute(
  context: Context,
  owner: Owner,
  field: Field,
  frame: Frame,
  depth: number,
): Promise<Attribute> {
  const { reader } = context;
  const tensors: Field[] = [];
  const graphs: Field[] = [];
  const sparse: Field[] = [];
  const bytes = await light(reader, field.body, field.end, (part) => {
    if (part.wire !== Wire.LEN) return false;
    const { number } = part;
    if (number === ATTRIBUTE.tensor || number === ATTRIBUTE.tensors) collect(reader, tensors, part);
    else if (number === ATTRIBUTE.graph || number === ATTRIBUTE.graphs) collect(reader, graphs, part);
    else if (number === ATTRIBUTE.sparse || number === ATTRIBUTE.sparses) collect(reader, sparse, part);
    else {
      const size = part.end - part.body;
      const bulky = number === ATTRIBUTE.s || ATTRIBUTE_LISTS.includes(number);
      return number === ATTRIBUTE.doc || (bulky && size > 4096);
    }
    return true;
  });
  const proto = decode(reader, onnx.AttributeProto, bytes, field.body);
  const attribute: Draft<Attribute> = { name: proto.name, type: proto.type, f: proto.f, i: proto.i };
  if (proto.refAttrName !== '') attribute.ref = proto.refAttrName;
  if (proto.s.length > 0) attribute.s = text(proto.s);
  if (proto.floats.length > 0) attribute.floats = proto.floats.slice();
  if (proto.ints.length > 0) attribute.ints = proto.ints.slice();
  if (proto.strings.length > 0) attribute.strings = proto.strings.map(text);

  const place = `attribute ${proto.name} of node ${owner.node.index}`;
  const dense = await scanEach(tensors, ATTRIBUTE.tensor, (same) =>
    scanTensor(context, owner.scope, same, place, frameOf(field, frame)),
  );
  const values = await scanEach(sparse, ATTRIBUTE.sparse, (same) => scanSparse(context, owner.scope, same));
  const tensor = values ?? dense;
  if (tensor !== undefined) attribute.tensor = tensor;
  if (graphs.length > 0) {
    attribute.graphs = await scanBodies(context, owner, proto.name, graphs, frameOf(field, frame), depth + 1);
  }
  return attribute;
}

/** Reads the graphs of an attribute: `g`, whose occurrences merge, and each of `graphs`. */
async function scanBodies(
  context: Context,
  owner: Owner,
  attribute: string,
  fields: readonly Field[],
  frame: Frame,
  depth: number,
): Promise<Scope[]> {
  const { scope, node } = owner;
  const label = node.name !== '' ? node.name : `${node.opType}#${node.index}`;
  const bodies: Scope[] = [];
  let single: ScopeDraft | undefined;
  for (const field of fields) {
    let body: ScopeDraft;
    if (field.number === ATTRIBUTE.graph && single !== undefined) body = single;
    else {
      const nth = field.number === ATTRIBUTE.graphs ? `[${bodies.length}]` : '';
      const path = `${scope.path}/${label}.${attribute}${nth}`;
      body = newScope(context, 'graph', path, scope.opsets, owner);
      bodies.push(body);
      if (field.number === ATTRIBUTE.graph) single = body;
    }
    await scanGraph(context, body, field, frame, depth);
  }
  return bodies;
}
