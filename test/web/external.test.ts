import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { type External, ortProvider } from '../../src/web/harness/ort-provider.js';
import type { OpenOptions, WebRuntime } from '../../src/web/harness/runtime.js';
import { createMishSession } from '../../src/web/session/create.js';
import { type ExternalFile, externalFiles } from '../../src/web/session/external.js';
import { failure, ops } from '../support/graph.js';
import { floats, ints, type ModelParts, node, value } from '../support/model.js';
import { both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';
import { modelPath } from '../support/workbench-page.js';

const bytes = (name: string) => new Uint8Array(readFileSync(modelPath(name)));

/** Returns what a session gives ONNX Runtime. */
async function opened(source: Uint8Array, provider: 'webgl' | 'wasm', externalData: readonly ExternalFile[]) {
  const given: { model: Uint8Array; files: readonly External[]; extra: unknown }[] = [];
  const create = async (
    model: Uint8Array,
    options: { externalData?: readonly External[]; extra?: unknown },
  ) => {
    given.push({ model, files: options.externalData ?? [], extra: options.extra });
    return {};
  };
  const ort = { InferenceSession: { create } } as unknown as Parameters<typeof createMishSession>[0];
  await createMishSession(ort, source, { providers: [provider], externalData });
  const [only] = given;
  if (only === undefined) throw new Error('nothing was opened');
  return only;
}

/** Offers a WebGL that `missingFor` takes. */
function withWebgl(): void {
  const gl = { RENDERER: 0, getExtension: () => ({ loseContext() {} }), getParameter: () => '' };
  vi.stubGlobal(
    'OffscreenCanvas',
    class {
      getContext = () => gl;
    },
  );
  onTestFinished(() => void vi.unstubAllGlobals());
}

test('a model with external data is opened whole on WebGL, and with its file on WASM', async () => {
  withWebgl();
  const source = bytes('vgg-leaky.onnx');
  const data = bytes('vgg-leaky.onnx.data');
  const files = [{ path: 'vgg-leaky.onnx.data', data }];
  const onWasm = await opened(source, 'wasm', files);
  expect(onWasm.files.map(({ path }) => path)).toEqual(['vgg-leaky.onnx.data']);
  expect(Buffer.compare(onWasm.files[0]?.data ?? new Uint8Array(), data)).toBe(0);
  const onWebgl = await opened(source, 'webgl', files);
  const document = await scan(onWebgl.model);
  expect([onWebgl.files, document.external, webglProblems(document)]).toEqual([[], [], []]);
  expect(onWebgl.model.length).toBeGreaterThan(onWasm.model.length + 1_000_000);
});

/** Models whose sizes and axes are stored, which WebGL takes only where they are known. */
const SIZED: readonly ModelParts[] = [
  {
    nodes: [node('Split', ['x', 'sizes'], ['a', 'b'], { axis: 1 }), node('Relu', ['a'], ['y'])],
    inputs: [value('x', 1, [1, 6, 4, 4])],
    outputs: [value('y', 1, [1, 2, 4, 4]), value('b', 1, [1, 4, 4, 4])],
    initializers: [ints('sizes', [2], [2, 4])],
  },
  {
    nodes: [node('Relu', ['x'], ['r']), node('ReduceMean', ['r', 'axes'], ['y'], { keepdims: 1 })],
    inputs: [value('x', 1, [1, 3, 8, 8])],
    outputs: [value('y', 1, [1, 3, 1, 1])],
    initializers: [ints('axes', [2], [2, 3])],
  },
];

test('sizes in a data file tell WebGL as much as sizes in the model', async () => {
  withWebgl();
  for (const parts of SIZED) {
    const { inside, outside, data } = both({ ...parts, opset: 18 }, 'm.data', { keepsDims: true });
    const wanted = await opened(inside, 'webgl', []);
    const found = await opened(outside, 'webgl', [{ path: 'm.data', data }]);
    expect(ops(found.model), JSON.stringify(parts.nodes)).toEqual(ops(wanted.model));
    expect(found.files).toEqual([]);
  }
});

/** A model with zeros before a MaxPool, which ONNX Runtime drops unless it is told not to. */
const PADDED = {
  ...{ opset: 13, inputs: [value('x', 1, [1, 2, 7, 7])], outputs: [value('y', 1)] },
  nodes: [
    node('LeakyRelu', ['x'], ['r']),
    node('Constant', [], ['pads'], { value: { tensor: ints('pads', [8], [0, 0, 1, 1, 0, 0, 1, 1]) } }),
    node('Pad', ['r', 'pads', 'fill'], ['q']),
    node('MaxPool', ['q'], ['y'], { kernel_shape: [3, 3] }),
  ],
  initializers: [floats('fill', [], [0])],
};

test('numbers in a data file tell a session as much as numbers in the model', async () => {
  const told = async (source: Uint8Array, data?: Uint8Array) => {
    const { model, extra } = await opened(
      source,
      'wasm',
      data === undefined ? [] : [{ path: 'm.data', data }],
    );
    return { extra, operators: ops(model) };
  };
  const spelt = EXPRESSIONS.map((expression) =>
    spell(expression, { type: 'f32', opset: 17, random: createRandom(3), vary: false }),
  );
  for (const parts of [PADDED, ...spelt]) {
    const { inside, outside, data } = both(parts);
    const expected = await told(inside);
    expect(await told(outside, data), JSON.stringify(parts.nodes)).toEqual(expected);
    if (parts === PADDED) expect(JSON.stringify(expected.extra)).toContain('Pad_Fusion');
  }
});

test('a provider of a page knows the zeros of a Pad that are in a data file', async () => {
  vi.stubGlobal('navigator', { userAgent: '' }); // Node 20 has none
  const { inside, outside, data } = both(PADDED);
  for (const [bytes, files] of [
    [inside, []],
    [outside, [{ path: 'm.data', data }]],
  ] as const) {
    const asked: OpenOptions[] = [];
    const start = async () => {
      const open = async (options: OpenOptions) => {
        asked.push(options);
        return { session: {}, createMs: 0, inputs: [], outputs: [] };
      };
      return { facts: {}, open } as unknown as WebRuntime;
    };
    const session = await ortProvider('wasm', start, files).open(bytes);
    expect(asked.map(({ unfused }) => unfused)).toEqual(['Pad_Fusion']);
    expect(session.notes).toEqual([expect.stringContaining('Pad_Fusion')]);
  }
  vi.unstubAllGlobals();
});

test('a data file that is neither given nor in the folder of the model’s URL is named', async () => {
  const urls = [undefined, 'blob:http://a.test/0-1', 'blob:null/0-1', 'data:application/octet-stream,x'];
  const cases = [
    ...urls.map((url) => ({ url, location: 'w.bin' })),
    { url: 'http://a.test/models/m.onnx', location: '../w.bin' },
    { url: 'http://a.test/models/m.onnx', location: '' },
  ];
  for (const { url, location } of cases) {
    const error = await failure(externalFiles([location], [], { name: 'm.onnx', url }, {}));
    expect(error, `${url} ${location}`).toMatchObject({ code: 'external-data', where: 'm.onnx' });
  }
});
