import type { onnx } from '../../proto/onnx.js';
import { floats, ints, node, value } from './model.js';

const F32 = 1;
const I64 = 7;
const BOOL = 9;

/** A graph for an attribute. */
export function graph(
  name: string,
  nodes: onnx.INodeProto[],
  inputs: onnx.IValueInfoProto[],
  outputs: onnx.IValueInfoProto[],
  initializers: onnx.ITensorProto[] = [],
): { graph: onnx.IGraphProto } {
  return { graph: { name, node: nodes, input: inputs, output: outputs, initializer: initializers } };
}

/** An If on the bool `cond`; each branch is a list of nodes whose last makes `out`. */
export function ifNode(
  output: string,
  out: string,
  yes: onnx.INodeProto[],
  no: onnx.INodeProto[],
  name = 'choose',
): onnx.INodeProto {
  const branch = (label: string, nodes: onnx.INodeProto[]) => graph(label, nodes, [], [value(out, F32)]);
  const attributes = { then_branch: branch('yes', yes), else_branch: branch('no', no) };
  return node('If', ['cond'], [output], attributes, { name });
}

/** A Loop of two rounds that carries a float tensor from `input` to `output`: `carried` in, `next` out. */
export function loopNode(
  input: string,
  output: string,
  body: onnx.INodeProto[],
  name = 'repeat',
): onnx.INodeProto {
  const inputs = [value('round', I64, []), value('go_on', BOOL, []), value('carried', F32)];
  const outputs = [value('still', BOOL, []), value('next', F32)];
  const nodes = [node('Identity', ['go_on'], ['still']), ...body];
  return node(
    'Loop',
    ['rounds', 'always', input],
    [output],
    { body: graph('rounds', nodes, inputs, outputs) },
    { name },
  );
}

/** The initializers that `loopNode` reads. */
export const LOOP_INITIALIZERS: onnx.ITensorProto[] = [
  ints('rounds', [], [2]),
  { name: 'always', dataType: BOOL, dims: [], rawData: new Uint8Array([1]) },
];

/** A Scan over the rows of `input`, with a running sum as its state: `sum_in`, `row` in; `sum_out`, `mapped` out. */
export function scanNode(
  input: string,
  output: string,
  body: onnx.INodeProto[],
  width: number,
): onnx.INodeProto {
  const row = (name: string) => value(name, F32, [width]);
  const nodes = [...body, node('Add', ['sum_in', 'mapped'], ['sum_out'])];
  const inner = graph('rows', nodes, [row('sum_in'), row('row')], [row('sum_out'), row('mapped')]);
  return node(
    'Scan',
    ['start', input],
    ['total', output],
    { body: inner, num_scan_inputs: 1 },
    { name: 'rows' },
  );
}

/** The initializer that `scanNode` starts from. */
export function scanStart(width: number): onnx.ITensorProto {
  return floats(
    'start',
    [width],
    Array.from({ length: width }, () => 0),
  );
}
