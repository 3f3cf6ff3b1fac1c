import { onnx } from '../../proto/onnx.js';
import { type Analysis, analyse } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, opsetOf, rewriteObstacle } from '../onnx/document.js';
import { concat, nodeField } from '../onnx/encode.js';
import { namer } from '../onnx/names.js';
import { type Edit, replacing, type Spliced } from '../onnx/splice.js';
import { DataType } from '../onnx/types.js';
import { constantNode } from './emit.js';
import type { FixedNode, Fixes, FixOptions, FixReport } from './fix-report.js';
import { spliceWithRecord } from './history.js';
import { curableFaults, type Remedy } from './webgl/faults.js';
import { type Loaded, load } from './webgl/loaded.js';
import { powerOf } from './webgl/power.js';
import { resized } from './webgl/resize.js';
import {
  constantOf,
  decodedNode,
  floatTypeOf,
  gathers,
  integers,
  paddedLrn,
  reduction,
  reflections,
  slicesOfSplit,
} from './webgl/rewrites.js';

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
 * `analysis` is reused. The edits in `raised` raise the opset; they give way to the fixes of the same nodes.
 */
export async function webglFixes(
  document: OnnxDocument,
  rewritten: ReadonlySet<Node> = new Set(),
  analysis: Analysis = analyse(document),
  raised: readonly Edit[] = [],
): Promise<Fixes> {
  const loaded = load(document, analysis, rewritten);
  const wanted = new Map<Node, Map<Remedy, string>>();
  for (const { says, remedies } of curableFaults(loaded)) {
    for (const { at, kind } of remedies) {
      const kinds = wanted.get(at) ?? new Map();
      if (kinds.has(kind) || rewriteObstacle(at) !== undefined) continue;
      wanted.set(at, kinds.set(kind, says));
    }
  }
  const fresh = namer(document, new Set(), 'webgl');
  const inNewOpset = new Map(raised.map(({ start, bytes }) => [start, bytes]));
  const fixes: FixedNode[] = [];
  const edits: Edit[] = [];
  for (const [node, kinds] of wanted) {
    const proto = await decodedNode(document, node, inNewOpset.get(node.span.start));
    if (proto === undefined) continue;
    const others = await replaced(proto, node, kinds, loaded, document, fresh);
    if (others === undefined) for (const kind of REPLACING) kinds.delete(kind);
    if (kinds.size === 0) continue; // it cannot be written in another way
    const nodes = others ?? remedied(proto, node, kinds, loaded, fresh);
    edits.push(replacing(node, concat(nodes.map((one) => nodeField('graph', one)))));
    const [output = ''] = node.outputs;
    for (const [fix, why] of kinds) {
      if (others !== undefined && !REPLACING.includes(fix)) continue; // not needed any more
      fixes.push({ label: nodeLabel(node), node: node.name, op: node.opType, output, fix, why });
    }
  }
  return { edits, fixes };
}

const { INT, INTS } = onnx.AttributeProto.AttributeType;

/** The remedies that write other operators in a node's place, if its lengths are known. */
const REPLACING: readonly Remedy[] = ['slice', 'gather', 'reduce', 'resize', 'pad'];

/** Returns the nodes of other operators that replace a node; undefined if it stays, with another remedy or none. */
async function replaced(
  proto: onnx.INodeProto,
  node: Node,
  kinds: ReadonlyMap<Remedy, string>,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: (wanted: string) => string,
): Promise<onnx.INodeProto[] | undefined> {
  if (kinds.has('resize')) return resized(node, loaded, document, fresh);
  if (kinds.has('pad')) return paddedLrn(proto, node, opsetOf(loaded.graph), fresh);
  if (kinds.has('gather'))
    return (node.opType === 'Pad' ? reflections : gathers)(node, loaded, document, fresh);
  if (kinds.has('reduce')) return reduction(node, loaded, document, fresh);
  return kinds.has('slice') ? slicesOfSplit(proto, node, loaded, document, fresh) : undefined;
}

/** Returns the nodes that replace a node. Not split, since each remedy works on the previous ones' result. */
function remedied(
  proto: onnx.INodeProto,
  node: Node,
  kinds: ReadonlyMap<Remedy, string>,
  loaded: Loaded,
  fresh: (wanted: string) => string,
): onnx.INodeProto[] {
  const [[x = '', w = ''], [y = '']] = [node.inputs, node.outputs];
  const typeOf = (name: string) => floatTypeOf(loaded, name);
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
    if (isInput) nodes.unshift(integers(axis, 3));
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
