import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import { fromHalf } from '../../src/onnx/scalar.js';
import type { Feed, RunType } from '../support/run.js';

/** A model file, and what to feed it. */
export interface Case {
  readonly name: string;
  readonly path: string;
}

/** Every .onnx file below a folder, or the file itself. */
export function casesIn(root: string): Case[] {
  if (statSync(root).isFile()) return [{ name: relative('.', root), path: root }];
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.onnx'))
    .sort()
    .map((path) => ({ name: path.replace(/(\/model)?\.onnx$/, ''), path: join(root, path) }));
}

const { DataType } = onnx.TensorProto;
const TYPES: Readonly<Record<number, RunType>> = {
  [DataType.FLOAT]: 'f32',
  [DataType.DOUBLE]: 'f64',
  [DataType.FLOAT16]: 'f16',
  [DataType.INT64]: 'i64',
  [DataType.INT32]: 'i32',
  [DataType.BOOL]: 'bool',
};

/** A tensor of the ONNX test layout, as numbers; undefined for types that are not run here. */
export function readTensor(path: string): Feed | undefined {
  const { dims, dataType, ...proto } = onnx.TensorProto.decode(readFileSync(path));
  const type = TYPES[dataType];
  if (type === undefined) return undefined;
  const raw = Uint8Array.from(proto.rawData);
  if (raw.length === 0) {
    const { floatData, doubleData, int64Data, int32Data } = proto;
    const [given = []] = [floatData, doubleData, int64Data, int32Data].filter(({ length }) => length > 0);
    return { type, dims, data: type === 'f16' ? given.map(fromHalf) : given };
  }
  const views: Readonly<Record<RunType, () => ArrayLike<number | bigint>>> = {
    f32: () => new Float32Array(raw.buffer),
    f64: () => new Float64Array(raw.buffer),
    f16: () => Array.from(new Uint16Array(raw.buffer), fromHalf),
    i64: () => new BigInt64Array(raw.buffer),
    i32: () => new Int32Array(raw.buffer),
    bool: () => raw,
  };
  return { type, dims, data: Array.from(views[type](), Number) };
}

/** What a model's inputs are fed, and what it is known to give, by place; undefined where a type is not run here. */
export interface Example {
  readonly inputs: readonly (Feed | undefined)[];
  readonly outputs: readonly (Feed | undefined)[];
}

/** The example that lies beside a model in the ONNX test layout, if there is one. */
export function exampleFor(path: string): Example | undefined {
  const folder = join(dirname(path), 'test_data_set_0');
  if (!existsSync(folder)) return undefined;
  const read = (kind: string) => {
    const found: (Feed | undefined)[] = [];
    for (;;) {
      const file = join(folder, `${kind}_${found.length}.pb`);
      if (!existsSync(file)) return found;
      found.push(readTensor(file));
    }
  };
  return { inputs: read('input'), outputs: read('output') };
}

/** Noise for an input of float32, its free dimensions 1; undefined for other types and unknown ranks. */
export function noise(
  elemType: number,
  dims: readonly (number | string | null)[] | undefined,
): Feed | undefined {
  if (elemType !== DataType.FLOAT || dims === undefined) return undefined;
  const shape = dims.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
  const random = createRandom(1);
  const count = shape.reduce((product, dim) => product * dim, 1);
  return { type: 'f32', dims: shape, data: Array.from({ length: count }, () => Math.fround(normal(random))) };
}
