import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import type { OnnxDocument } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { webglMistakes } from '../../src/providers/webgl/known-bugs.js';
import { withShapes } from '../../src/providers/webgl/shapes.js';
import { isHeavy } from '../support/heavy.js';
import { BACKEND_TESTS } from '../support/models.js';
import { NO_BACKEND_TESTS } from '../support/needs.js';
import { openWebglPage, type WebOutcome, type WebTensor, type WebType } from '../support/webgl-page.js';

/**
 * The ONNX backend tests, from Debian's package libonnx-testdata, on WebGL: what becomes of each against what was
 * foretold of it.
 */
const ROOT = BACKEND_TESTS;

const { DataType } = onnx.TensorProto;
type Numbers = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
const TYPES = new Map<number, [WebType, new (buffer: ArrayBuffer) => Numbers]>([
  [DataType.FLOAT, ['float32', Float32Array]],
  [DataType.DOUBLE, ['float64', Float64Array]],
  [DataType.INT32, ['int32', Int32Array]],
  [DataType.INT64, ['int64', BigInt64Array]],
  [DataType.UINT8, ['uint8', Uint8Array]],
  [DataType.BOOL, ['bool', Uint8Array]],
]);

/** A tensor of the test's data; undefined for what is no tensor of these types. */
function tensorIn(path: string): WebTensor | undefined {
  if (!existsSync(path)) return undefined;
  const proto = onnx.TensorProto.decode(readFileSync(path));
  const [type, List] = TYPES.get(proto.dataType) ?? [];
  if (type === undefined || List === undefined) return undefined;
  const { dims, rawData, floatData, int32Data, int64Data, doubleData } = proto;
  const given = [floatData, int32Data, int64Data, doubleData].find(({ length }) => length > 0) ?? [];
  const data = rawData.length > 0 ? Array.from(new List(Uint8Array.from(rawData).buffer), Number) : given;
  return { type, dims, data };
}

interface Example {
  readonly inputs: Record<string, WebTensor>;
  readonly outputs: Record<string, WebTensor>;
}

/** A model's inputs and outputs, as far as they are tensors that can be compared. */
function exampleFor({ graph }: OnnxDocument, folder: string): Example {
  const read = (kind: string, values: readonly { name: string }[]) =>
    Object.fromEntries(
      values.flatMap(({ name }, place) => {
        const tensor = tensorIn(join(folder, `${kind}_${place}.pb`));
        return tensor === undefined ? [] : [[name, tensor] as const];
      }),
    );
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  return { inputs: read('input', inputs), outputs: read('output', graph.outputs) };
}

const dimsOf = (tensors: Record<string, WebTensor>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { dims }]) => [name, dims]));

function isRight(
  outcome: Extract<WebOutcome, { outputs: unknown }>,
  wanted: Record<string, WebTensor>,
): boolean {
  return Object.entries(wanted).every(([name, { dims, data }]) => {
    const given = outcome.outputs[name];
    const isClose = (value: number, place: number) => {
      const other = given?.data[place] ?? Number.NaN;
      return (
        Object.is(value, other) || value === other || Math.abs(value - other) <= 1e-3 * (1 + Math.abs(value))
      );
    };
    return given !== undefined && String(given.dims) === String(dims) && data.every(isClose);
  });
}

/** The bytes of all files below a folder. */
const bytesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + statSync(join(folder, name)).size,
    0,
  );

/** Every so manyth model is run; all of them by `npm run test:heavy`. */
const STEP = isHeavy ? 1 : 16;

test('every backend test fares on WebGL as foretold', { timeout: 300_000 }, async ({ skip }) => {
  skip(ROOT === undefined, NO_BACKEND_TESTS);
  const root = ROOT ?? '';
  const page = await openWebglPage();
  const count = { right: 0, refused: 0, mistaken: 0 };
  const surprises: string[] = [];
  try {
    const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('model.onnx'),
    );
    for (const path of paths.sort().filter((_, index) => index % STEP === 0)) {
      const folder = dirname(path);
      // Megabytes travel to the page as text, which takes many seconds.
      if (!isHeavy && bytesBelow(join(root, folder)) > 1_000_000) continue;
      const document = await scan(Uint8Array.from(readFileSync(join(root, path))));
      const example = exampleFor(document, join(root, folder, 'test_data_set_0'));
      const given = document.graph.inputs.filter(({ name }) => !document.graph.initializers.has(name));
      if (given.length > Object.keys(example.inputs).length) continue; // of types that cannot be fed here
      const shapes = { inputs: dimsOf(example.inputs), outputs: dimsOf(example.outputs) };
      const bytes = await withShapes(document, shapes).bytes();
      const shaped = await scan(bytes);
      const outcome = await page.run(bytes, example.inputs);
      const came = 'error' in outcome ? 'fails' : isRight(outcome, example.outputs) ? 'right' : 'wrong';
      const isRefused = webglProblems(shaped).length > 0;
      // What may be wrong may be right as well.
      const isMistaken = webglMistakes(shaped).length > 0;
      if (isRefused) count.refused++;
      else if (isMistaken) count.mistaken++;
      else count.right++;
      const isForetold = isRefused ? came === 'fails' : isMistaken ? came !== 'fails' : came === 'right';
      if (!isForetold) surprises.push(`${relative('.', folder)} ${came}`);
    }
  } finally {
    await page.close();
  }
  expect(surprises).toEqual([]);
  expect(count.right).toBeGreaterThan(250 / STEP);
  expect(count.refused).toBeGreaterThan(500 / STEP);
  expect(count.mistaken).toBeGreaterThan(10 / STEP);
});
