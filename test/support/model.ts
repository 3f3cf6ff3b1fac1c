import { onnx } from '../../proto/onnx.js';
import { toHalf } from '../../src/onnx/scalar.js';

/** An attribute's value: a float as { f }, the rest by their JavaScript type. */
export type AttributeValue =
  | number
  | bigint
  | string
  | { f: number }
  | { ref: string; type: 'FLOAT' | 'INT' }
  | readonly number[]
  | { strings: readonly string[] }
  | { floats: readonly number[] }
  | { tensor: onnx.ITensorProto }
  | { graph: onnx.IGraphProto };

const Type = onnx.AttributeProto.AttributeType;

function attributeOf(name: string, value: AttributeValue): onnx.IAttributeProto {
  if (typeof value === 'number' || typeof value === 'bigint')
    return { name, type: Type.INT, i: Number(value) };
  if (typeof value === 'string') return { name, type: Type.STRING, s: new TextEncoder().encode(value) };
  if ('f' in value) return { name, type: Type.FLOAT, f: value.f };
  if ('ref' in value) return { name, type: Type[value.type], refAttrName: value.ref };
  if ('tensor' in value) return { name, type: Type.TENSOR, t: value.tensor };
  if ('floats' in value) return { name, type: Type.FLOATS, floats: [...value.floats] };
  if ('strings' in value)
    return { name, type: Type.STRINGS, strings: value.strings.map((text) => new TextEncoder().encode(text)) };
  if ('graph' in value) return { name, type: Type.GRAPH, g: value.graph };
  return { name, type: Type.INTS, ints: [...value] };
}

/** A node: `node('LeakyRelu', ['x'], ['y'], { alpha: { f: 0.1 } }, { name: 'act' })`. */
export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, AttributeValue> = {},
  rest: Partial<onnx.INodeProto> = {},
): onnx.INodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
  return { opType, input, output, attribute, ...rest };
}

/** A tensor value's name and type; `f32` is 1, see TensorProto.DataType. Without dims the rank is unknown. */
export function value(
  name: string,
  elemType: number,
  dims?: readonly (number | string)[],
): onnx.IValueInfoProto {
  const dim = dims?.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, ...(dim === undefined ? {} : { shape: { dim } }) } } };
}

/** A float32 initializer. */
export function floats(name: string, dims: readonly number[], data: readonly number[]): onnx.ITensorProto {
  return { name, dataType: 1, dims: [...dims], rawData: new Uint8Array(new Float32Array(data).buffer) };
}

/** A float16 initializer. */
export function halves(name: string, dims: readonly number[], data: readonly number[]): onnx.ITensorProto {
  return {
    name,
    dataType: 10,
    dims: [...dims],
    rawData: new Uint8Array(Uint16Array.from(data, toHalf).buffer),
  };
}

/** An int64 initializer. */
export function ints(name: string, dims: readonly number[], data: readonly number[]): onnx.ITensorProto {
  const raw = new BigInt64Array(data.map(BigInt));
  return { name, dataType: 7, dims: [...dims], rawData: new Uint8Array(raw.buffer) };
}

export interface ModelParts {
  opset?: number;
  ir?: number;
  nodes: onnx.INodeProto[];
  inputs?: onnx.IValueInfoProto[];
  outputs?: onnx.IValueInfoProto[];
  initializers?: onnx.ITensorProto[];
  values?: onnx.IValueInfoProto[];
  functions?: onnx.IFunctionProto[];
  /** Further operator sets, by domain. */
  domains?: Record<string, number>;
}

/** The message of a whole model; x and y are float32 [N, 4] unless said. */
export function modelProto(parts: ModelParts): onnx.IModelProto {
  const { opset = 18, ir = 8, domains = {} } = parts;
  const opsetImport = [{ domain: '', version: opset }];
  for (const [domain, version] of Object.entries(domains)) opsetImport.push({ domain, version });
  return {
    irVersion: ir,
    producerName: 'onnx-mish tests',
    opsetImport,
    graph: {
      name: 'graph',
      node: parts.nodes,
      input: parts.inputs ?? [value('x', 1, ['N', 4])],
      output: parts.outputs ?? [value('y', 1, ['N', 4])],
      initializer: parts.initializers ?? [],
      valueInfo: parts.values ?? [],
    },
    functions: parts.functions ?? [],
  };
}

/** The bytes of a whole model. */
export function model(parts: ModelParts): Uint8Array {
  // In Node protobufjs gives a Buffer, which no test should come to depend on.
  return Uint8Array.from(onnx.ModelProto.encode(modelProto(parts)).finish());
}
