import { onnx } from '../../proto/onnx.js';
import { type Analysis, analyse } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, opsetOf, rewriteObstacle } from '../onnx/document.js';
import { concat, nodeField } from '../onnx/encode.js';
import { namer } from '../onnx/names.js';
import { type Edit, replacing, type Spliced } from '../onnx/splice.js';
import { DataType, type FloatType, floatType } from '../onnx/types.js';
import { constantNode } from './emit.js';
import type { FixedNode, Fixes, FixOptions, FixReport } from './fix-report.js';
import { spliceWithRecord } from './history.js';
import { curableFaults, partsOf, type Remedy } from './webgl/faults.js';
import { type Loaded, load } from './webgl/loaded.js';
import { powerOf } from './webgl/power.js';

/** Does what `fix` does, for a scanned document. */
export async function fixDocument(
  document: OnnxDocument,
  options: FixOptions = {},
): Promise<{ output: Spliced; report: FixReport }> {
  const { edits, fixes } = await webglFixes(document);
  const operation = { operation: 'fix', form: 'webgl', sites: fixes.length } as const;
  const output = await spliceWithRecord(document, edits, [operation], options.undo ?? true);
  return { output, report: { fixes, bytesIn: document.source.size, bytesOut: output.size } };
}

/**
 * Returns the fixes of a document. Other edits replace the `rewritten` nodes with Mish in the exp form, or delete them. A given
 * `analysis` is reused.
 */
export async function webglFixes(
  document: OnnxDocument,
  rewritten: ReadonlySet<Node> = new Set(),
  analysis: Analysis = analyse(document),
): Promise<Fixes> {
  const loaded = load(document, analysis, rewritten);
  const wanted = new Map<Node, Set<Remedy>>();
  const fixes: FixedNode[] = [];
  for (const { says, remedies } of curableFaults(loaded)) {
    for (const { at, kind } of remedies) {
      const kinds = wanted.get(at) ?? new Set();
      if (kinds.has(kind) || rewriteObstacle(at) !== undefined) continue;
      wanted.set(at, kinds.add(kind));
      const [output = ''] = at.outputs;
      fixes.push({ label: nodeLabel(at), node: at.name, op: at.opType, output, fix: kind, why: says });
    }
  }
  const fresh = namer(document, new Set(), 'webgl');
  const edits: Edit[] = [];
  for (const [node, kinds] of wanted) {
    const { start, end } = node.span;
    // An encoded graph with a single node equals that node as a field of a graph.
    const [proto] = onnx.GraphProto.decode(await document.source.read(start, end - start)).node;
    if (proto === undefined) continue;
    const parts = kinds.has('slice') ? await lengthsOf(node, loaded, document) : undefined;
    const nodes = parts ? sliced(proto, parts, fresh) : remedied(proto, node, kinds, loaded, fresh);
    edits.push(replacing(node, concat(nodes.map((one) => nodeField('graph', one)))));
  }
  return { edits, fixes };
}

const { INT, INTS, TENSOR } = onnx.AttributeProto.AttributeType;

/** Reads the lengths of a Split's parts. */
async function lengthsOf(
  node: Node,
  loaded: Loaded,
  { source }: OnnxDocument,
): Promise<number[] | undefined> {
  const parts = partsOf(node, loaded);
  if (parts === undefined || typeof parts === 'number') return node.outputs.map(() => parts ?? 0);
  const { start = 0, end = 0 } = parts.frame ?? {};
  const { int64Data, rawData } = onnx.TensorProto.decode(await source.read(start, end - start));
  if (rawData.length === 0) return int64Data;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return Array.from({ length: rawData.length >> 3 }, (_, place) => Number(view.getBigInt64(8 * place, true)));
}

/** Builds a Constant node for a one-dimensional tensor. */
function constantOf(name: string, t: onnx.ITensorProto): onnx.INodeProto & { name: string } {
  return { opType: 'Constant', name, output: [name], attribute: [{ name: 'value', type: TENSOR, t }] };
}

const integer = (name: string, value: number) =>
  constantOf(name, { dataType: DataType.INT64, dims: [1], int64Data: [value] });

/** Builds a Slice for each part of a Split. */
function sliced(
  { name, input, output, attribute }: onnx.INodeProto,
  lengths: readonly number[],
  fresh: (wanted: string) => string,
): onnx.INodeProto[] {
  const axis = Number(attribute?.find((one) => one.name === 'axis')?.i ?? 0);
  let at = 0;
  return (output ?? []).flatMap((y, place) => {
    const from = at;
    at += lengths[place] ?? 0;
    if (y === '') return [];
    const numbers = Object.entries({ from, to: at, axis }).map(([what, value]) =>
      integer(fresh(`${y}/webgl/${what}`), value),
    );
    const operands = [...(input ?? []).slice(0, 1), ...numbers.map((one) => one.name)];
    return [
      ...numbers,
      {
        opType: 'Slice',
        name: place === 0 ? (name ?? '') : fresh(`${y}/webgl/slice`),
        input: operands,
        output: [y],
      },
    ];
  });
}

/** Returns the nodes that replace a node. Not split, since each remedy works on the previous ones' result. */
function remedied(
  proto: onnx.INodeProto,
  node: Node,
  kinds: ReadonlySet<Remedy>,
  loaded: Loaded,
  fresh: (wanted: string) => string,
): onnx.INodeProto[] {
  const { types } = loaded.analysis;
  const [[x = '', w = ''], [y = '']] = [node.inputs, node.outputs];
  const typeOf = (name: string): FloatType => floatType(types(loaded.graph, name)) ?? 'f32';
  const cast = (from: string, to: string): onnx.INodeProto => {
    const attribute = [{ name: 'to', type: INT, i: typeOf(x) === 'f64' ? DataType.DOUBLE : DataType.FLOAT }];
    return { opType: 'Cast', name: to, input: [from], output: [to], attribute };
  };
  let nodes = [proto];
  if (kinds.has('keep')) nodes = [{ ...cast(x, y), name: node.name }];
  if (kinds.has('kernel')) {
    const ints = (loaded.dims(w) ?? []).slice(2).map(Number);
    proto.attribute?.push({ name: 'kernel_shape', type: INTS, ints });
  }
  if (kinds.has('multiply')) {
    const square = fresh(`${y}/webgl/square`);
    const isCube = powerOf(node, loaded) === 3;
    const times = (name: string, a: string, to: string) => ({
      opType: 'Mul',
      name,
      input: [a, x],
      output: [to],
    });
    nodes = isCube ? [times(square, x, square), times(node.name, square, y)] : [times(node.name, x, y)];
  }
  if (kinds.has('bias')) {
    const zero = fresh(`${y}/webgl/zero`);
    proto.input?.push(zero);
    const constant = constantNode(zero, 0, typeOf(x));
    for (const { t } of constant.attribute ?? []) if (t) t.dims = [1];
    nodes = [constant, proto];
  }
  if (kinds.has('empty')) {
    const missing = node.inputs.flatMap((name, slot) => (name === '' ? [slot] : []));
    for (const slot of missing) {
      const empty = fresh(`${y}/webgl/empty`);
      proto.input?.splice(slot, 1, empty);
      nodes.unshift(constantOf(empty, { dataType: DataType.FLOAT, dims: [0] }));
    }
  }
  if (kinds.has('before')) {
    const [one, copy] = [fresh(`${y}/webgl/one`), fresh(`${y}/webgl/in`)];
    proto.input?.splice(0, 1, copy);
    nodes.unshift(constantNode(one, 1, typeOf(x)), {
      opType: 'Mul',
      name: copy,
      input: [x, one],
      output: [copy],
    });
  }
  if (kinds.has('image')) {
    const up = fresh(`${y}/webgl/image`);
    const down = fresh(`${y}/webgl/out`);
    const axis = fresh(`${y}/webgl/axis`);
    const isInput = opsetOf(loaded.graph) >= 13;
    const attribute = isInput ? [] : [{ name: 'axes', type: INTS, ints: [3] }];
    const change = (opType: string, from: string, to: string, name: string): onnx.INodeProto => {
      return { opType, name, input: isInput ? [from, axis] : [from], output: [to], attribute };
    };
    proto.input?.splice(0, 1, up);
    proto.output?.splice(0, 1, down);
    nodes = [change('Unsqueeze', x, up, up), proto, change('Squeeze', down, y, fresh(`${y}/webgl/rows`))];
    if (isInput) nodes.unshift(integer(axis, 3));
  }
  if (kinds.has('bound')) {
    const top = fresh(`${y}/webgl/max`);
    proto.input?.push(top);
    nodes = [constantNode(top, (2 - 2 ** -23) * 2 ** 127, typeOf(x)), proto];
  }
  if (kinds.has('unfuse')) {
    const apart = fresh(`${y}/webgl/in`);
    proto.input?.splice(0, 1, apart);
    nodes.unshift(cast(x, apart));
  }
  if (kinds.has('copy')) {
    const [one, raw] = [fresh(`${y}/webgl/one`), fresh(`${y}/webgl/out`)];
    nodes.at(-1)?.output?.splice(0, 1, raw);
    nodes.push(constantNode(one, 1, typeOf(y)));
    nodes.push({ opType: 'Mul', name: fresh(`${y}/webgl/copy`), input: [raw, one], output: [y] });
  }
  return nodes;
}
