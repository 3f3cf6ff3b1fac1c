import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { ortProvider } from '../../src/web/harness/ort-provider.js';
import type { OpenOptions, WebRuntime } from '../../src/web/harness/runtime.js';
import { createMishSession } from '../../src/web/session/create.js';
import { externalFiles, openable } from '../../src/web/session/external.js';
import { prepare } from '../../src/web/session/prepare.js';
import { failure, ops } from '../support/graph.js';
import { floats, ints, node, value } from '../support/model.js';
import { both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';
import { modelPath } from '../support/workbench-page.js';

const bytes = (name: string) => new Uint8Array(readFileSync(modelPath(name)));

test('a model with external data is opened whole on WebGL, and with its file on WASM', async () => {
  const document = await scan(bytes('vgg-leaky.onnx'));
  const files = [{ path: 'vgg-leaky.onnx.data', data: bytes('vgg-leaky.onnx.data') }];
  for (const provider of ['webgl', 'wasm'] as const) {
    const prepared = await prepare(document, provider, { form: 'auto', dims: {} });
    if (!prepared.ready) throw new Error(prepared.refusal.reason);
    expect(prepared.externalData).toEqual(['vgg-leaky.onnx.data']);
    const { whole, external } = await openable(prepared.model, files, provider);
    const opened = await scan(whole);
    if (provider === 'wasm') expect([whole, external]).toEqual([prepared.model, files]);
    else {
      expect([external, opened.external, webglProblems(opened)]).toEqual([[], [], []]);
      expect(whole.length).toBeGreaterThan(prepared.model.length + 1_000_000);
    }
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
  const opened = async (bytes: Uint8Array, data?: Uint8Array) => {
    let extra: unknown;
    let operators: string[] = [];
    const create = async (model: Uint8Array, options: { extra?: object }) => {
      extra = options.extra;
      operators = ops(model);
      return {};
    };
    const ort = { InferenceSession: { create } } as unknown as Parameters<typeof createMishSession>[0];
    const externalData = data === undefined ? [] : [{ path: 'm.data', data }];
    await createMishSession(ort, bytes, { providers: ['wasm'], externalData });
    return { extra, operators };
  };
  const spelt = EXPRESSIONS.map((expression) =>
    spell(expression, { type: 'f32', opset: 17, random: createRandom(3), vary: false }),
  );
  for (const parts of [PADDED, ...spelt]) {
    const { inside, outside, data } = both(parts);
    const expected = await opened(inside);
    expect(await opened(outside, data), JSON.stringify(parts.nodes)).toEqual(expected);
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
