import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inlineExternalData, retarget, type SwapOptions, swap } from '../../src/index.js';
import { runtimeFiles } from '../../src/providers/browser/provider.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { MishProgress, MishSession, MishSessionOptions } from '../../src/web/index.js';
import { everyNth, isHeavy } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { modelOf, feeds as negative, plain } from '../support/padded-models.js';
import { builtFiles, openPages, type Pages } from '../support/pages.js';
import { run } from '../support/run.js';
import { residualNet } from '../support/webgl-models.js';
import { modelPath } from '../support/workbench-page.js';

// Runs the published onnx-mish/web with onnxruntime-web in a real browser under a strict policy.

interface Values {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}
interface Request {
  readonly build?: string;
  readonly source: string;
  readonly as?: 'raw' | 'url' | 'response' | 'blob' | 'bytes' | 'stream';
  readonly options?: MishSessionOptions;
  readonly feeds?: Readonly<Record<string, Values>>;
  readonly abortAfter?: number;
}
interface Result {
  readonly plain?: boolean;
  readonly made?: MishSession;
  /** ONNX Runtime's own settings, as it got them. */
  readonly extra?: object;
  readonly progress: readonly MishProgress[];
  readonly outputs?: Readonly<Record<string, Values>>;
  readonly error?: {
    readonly name: string;
    readonly code: string;
    readonly message: string;
    readonly fix?: string;
  };
}

const folder = new URL('./pages/', import.meta.url).pathname;
const text = (content: string) => new TextEncoder().encode(content);
const noise = (dims: readonly number[], seed = 1): Values => ({
  dims,
  data: Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) =>
    Math.sin(seed + 12.9898 * index),
  ),
});
const images = { images: noise([3, 1, 28, 28]) };

/** A model with an operator that WebGL does not have, and a Relu. */
const unusual = model({
  nodes: [
    node('Relu', ['x'], ['h'], {}, { name: 'act' }),
    node('HardSigmoid', ['h'], ['y'], {}, { name: 'gate' }),
  ],
  inputs: [value('x', 1, [2, 3])],
  outputs: [value('y', 1, [2, 3])],
});
/** A model whose dimensions are unknown, and whose output has no rank. */
const shapeless = model({
  nodes: [
    node('MatMul', ['x', 'w'], ['h'], {}, { name: 'linear' }),
    node('Relu', ['h'], ['y'], {}, { name: 'act' }),
  ],
  inputs: [value('x', 1, ['rows', 3])],
  outputs: [value('y', 1)],
  initializers: [floats('w', [3, 3], [1, -2, 3, -4, 5, -6, 7, -8, 9])],
});

/** That model with Mish in another form than WebGL's. */
const softplusModel = async () => (await swap(shapeless, { form: 'softplus' })).output.bytes();

let pages: Pages;
let page: Page;
beforeAll(async () => {
  const runtime = (await runtimeFiles()).filter(([name]) =>
    /^ort\.(all|wasm|webgpu)\.min\.mjs$|^ort-wasm-simd-threaded(\.(jsep|asyncify))?\.(mjs|wasm)$/.test(name),
  );
  pages = await openPages([
    [
      'index.html',
      text('<!doctype html><title>session</title><script type="module" src="session.js"></script>'),
    ],
    ['session.js', { file: join(folder, 'session.js') }],
    ...['lenet5.onnx', 'resnet20.onnx', 'vgg-leaky.onnx', 'vgg-leaky.onnx.data'].map(
      (name) => [`models/${name}`, { file: modelPath(name) }] as const,
    ),
    ['alone/vgg-leaky.onnx', { file: modelPath('vgg-leaky.onnx') }],
    ['models/embedding.onnx', { file: REAL_MODELS.embedding }],
    ['models/residual.onnx', residualNet()],
    ['models/unusual.onnx', unusual],
    ['models/shapeless.onnx', shapeless],
    ['models/mish.onnx', await softplusModel()],
    ['models/padded.onnx', modelOf(plain)],
    ['models/page.onnx', text('<!doctype html><title>a page of errors</title>')],
    ...runtime.map(([name, content]) => [`ort/${name}`, content] as const),
    ...(await builtFiles()),
  ]);
  page = await pages.open();
  await page.waitForFunction(() => 'work' in globalThis);
});
afterAll(() => pages?.close());

/** Creates a session in the page or in a worker. */
async function ask(request: Request, where: 'work' | 'inWorker' = 'work', on = page): Promise<Result> {
  return on.evaluate(
    ([name, asked]) =>
      (globalThis as unknown as Record<string, (asked: Request) => Promise<Result>>)[name]?.(asked),
    [where, request] as const,
  ) as Promise<Result>;
}

/** Returns the outputs of the swapped model on ONNX Runtime's CPU in Node, from its file or its bytes. */
async function expected(
  source: Uint8Array,
  feeds: Readonly<Record<string, Values>>,
  options: SwapOptions = {},
) {
  const { output } = await swap(source, { form: 'exp', ...options });
  const session = await nodeProvider('cpu').open(await output.bytes());
  try {
    const tensors = Object.entries(feeds).map(([name, { dims, data }]) => {
      return [name, { elemType: 'f32', dims, data: Float32Array.from(data) }] as const;
    });
    return await session.run(Object.fromEntries(tensors));
  } finally {
    await session.close();
  }
}

function expectClose(actual: Result['outputs'], wanted: Awaited<ReturnType<typeof expected>>): void {
  expect(Object.keys(actual ?? {})).toEqual(Object.keys(wanted));
  for (const [name, { dims, data }] of Object.entries(wanted)) {
    const values = Array.from(data as Float32Array);
    const got = actual?.[name];
    expect(got?.dims).toEqual([...dims]);
    const scale = Math.max(...values.map(Math.abs));
    const worst = Math.max(
      ...values.map((value, index) => Math.abs(value - (got?.data[index] ?? Number.NaN))),
    );
    expect(worst / scale, name).toBeLessThan(1e-4);
  }
}

describe('createMishSession', () => {
  const lenet = bytesOf(modelPath('lenet5.onnx'));

  // The cache below takes bytes, and other models run on WASM.
  const ways = [
    ['webgl', 'work', 'url'],
    ['wasm', 'work', 'response'],
    ['webgl', 'inWorker', 'bytes'],
    ['wasm', 'inWorker', 'stream'],
    ['webgpu', 'work', 'blob'],
  ] as const;
  test.each(everyNth(3, ways))(
    'on %s (%s, from %s) computes what the CPU does in Node',
    async (provider, where, as) => {
      const options = { providers: [provider] } as const;
      const result = await ask({ source: 'models/lenet5.onnx', as, options, feeds: images }, where);
      expect(result.error).toBeUndefined();
      expect(result).toMatchObject({ plain: true, made: { provider, refused: [] } });
      // The model has a convolution over 6 channels, which onnxruntime-web/webgpu computes wrong, and these kernels
      // right.
      expect(result.made?.suspicions).toEqual([]);
      expect(result.made?.form).toBe(provider === 'webgpu' ? 'softplus' : 'exp');
      expect(result.made?.report.sites).toHaveLength(4);
      expectClose(result.outputs, await expected(lenet, images));
      const fetched = result.progress.flatMap((event) => (event.phase === 'fetch' ? event.loaded : []));
      expect(fetched).toEqual(fetched.toSorted((a, b) => a - b));
      if (as !== 'bytes' && as !== 'blob') expect(fetched.at(-1)).toBe(lenet.length);
      expect(result.progress.at(-1)).toEqual({ phase: 'open', provider });
    },
  );

  test('a known bug is reported for onnxruntime-web/webgpu and a convolution over 6 channels', async () => {
    const options = { providers: ['webgpu'] } as const;
    const result = await ask({ build: 'webgpu', source: 'models/lenet5.onnx', options });
    expect(result.made?.suspicions).toEqual([expect.stringContaining('divisible by 3')]);
  });

  test('the next provider gets its own form, and the reasons against the first are reported', async () => {
    const feeds = { x: noise([2, 3]) };
    const result = await ask({ source: 'models/unusual.onnx', feeds });
    expect(result.made).toMatchObject({ provider: 'wasm', form: 'exp' });
    expect(result.made?.refused).toEqual([
      expect.objectContaining({
        provider: 'webgl',
        reason: 'WebGL does not support HardSigmoid',
        nodes: [expect.stringContaining('‘gate’')],
      }),
    ]);
    expectClose(result.outputs, await expected(unusual, feeds));
    const embedding = { source: 'models/embedding.onnx', feeds: { input_1: noise([1, 76, 32, 1]) } };
    const real = await ask(embedding);
    expect(real.made?.provider).toBe('wasm');
    expect(real.made?.refused[0]?.reason).toContain('Max');
    expectClose(real.outputs, await expected(bytesOf(REAL_MODELS.embedding), embedding.feeds));
  });

  test('a given form is used where the provider can run it', async () => {
    const result = await ask({ source: 'models/lenet5.onnx', options: { form: 'softplus' }, feeds: images });
    expect(result.made).toMatchObject({ provider: 'wasm', form: 'softplus' });
    expect(result.made?.refused[0]?.reason).toBe('WebGL does not support Softplus');
    expectClose(result.outputs, await expected(lenet, images, { form: 'softplus' }));
  });

  test('WebGL runs models whose dimensions are unknown or given by name', async () => {
    const options = { providers: ['webgl'] } as const;
    const feeds = { x: noise([5, 3]) };
    const open = await ask({ source: 'models/shapeless.onnx', options, feeds });
    expectClose(open.outputs, await expected(shapeless, feeds));
    const fixed = { ...options, session: { freeDimensionOverrides: { rows: 2 } } };
    const other = await ask({ source: 'models/shapeless.onnx', options: fixed, feeds });
    expect(other.error?.message).toContain("expected shape '[2,3]'");
  });

  test('a remaining ReLU of a residual network is right on WebGL, which computes it wrong without a rewrite', async () => {
    const options = { providers: ['webgl'], exclude: ['*'] } as const;
    const feeds = { x: noise([1, 4, 8, 8]) };
    const result = await ask({ source: 'models/residual.onnx', options, feeds });
    expect(result.made?.report.sites).toEqual([]);
    expectClose(result.outputs, await expected(residualNet(), feeds, { exclude: ['*'] }));
  });

  test('external data are fetched from the model’s folder, or given', async () => {
    const beside = await ask({ source: 'models/vgg-leaky.onnx', feeds: images });
    expect(beside.made).toMatchObject({ provider: 'webgl', refused: [] });
    const data = bytesOf(modelPath('vgg-leaky.onnx.data'));
    const whole = await inlineExternalData(bytesOf(modelPath('vgg-leaky.onnx')), [
      { path: 'vgg-leaky.onnx.data', data },
    ]);
    const wanted = await expected(await whole.bytes(), images);
    expectClose(beside.outputs, wanted);
    const wasm = {
      source: 'models/vgg-leaky.onnx',
      feeds: images,
      options: { providers: ['wasm'] },
    } as const;
    if (isHeavy) expectClose((await ask(wasm)).outputs, wanted);
    expect(beside.progress).toContainEqual(
      expect.objectContaining({ phase: 'fetch', file: expect.stringMatching(/vgg-leaky\.onnx\.data$/) }),
    );
    const alone = { source: 'alone/vgg-leaky.onnx', feeds: images } as const;
    const url = new URL('models/vgg-leaky.onnx.data', page.url()).href;
    const externalData = [{ path: 'vgg-leaky.onnx.data', data: url }];
    const given = await ask({ ...alone, options: { externalData } });
    expect(given.outputs).toEqual(beside.outputs);
    const missing = await ask({ ...alone, as: 'blob' });
    expect(missing.error).toMatchObject({ name: 'OnnxMishError', code: 'external-data' });
    expect(missing.error?.fix).toContain("externalData: [{ path: 'vgg-leaky.onnx.data'");
  });

  test.each([
    [undefined, undefined],
    [{ optimization: { disable_specified_optimizers: 'Own', other: '1' } }, 'Own'],
    [{ 'optimization.disable_specified_optimizers': 'Own' }, 'Own'],
  ])('zeros of a Pad that Mish needs stay, beside settings of the page: %j', async (extra, own) => {
    const options = { providers: ['wasm'], session: extra === undefined ? {} : { extra } } as const;
    const { x } = negative;
    const padded = { source: 'models/padded.onnx', feeds: { x }, options };
    const result = await ask(padded);
    const swapped = await (await swap(modelOf(plain), { form: 'exp' })).output.bytes();
    const { y0: wanted = [] } = await run(swapped, { x });
    for (const [at, value] of (result.outputs?.y0?.data ?? []).entries())
      expect(value).toBeCloseTo(wanted[at] ?? Number.NaN, 5);
    expect(result.extra).toEqual({
      ...extra,
      'optimization.disable_specified_optimizers': [own, 'Pad_Fusion'].filter(Boolean).join(';'),
    });
    const unchanged = await ask({ ...padded, options: { ...options, exclude: ['*'] } });
    expect(unchanged.extra).toEqual(extra);
  });

  test('a Mish already in the model gets the form of the provider', async () => {
    const swapped = await softplusModel();
    const feeds = { x: noise([2, 3]) };
    const result = await ask({ source: 'models/mish.onnx', options: { providers: ['webgl'] }, feeds });
    const exp = await (await retarget(swapped, { form: 'exp' })).output.bytes();
    expectClose(result.outputs, await expected(exp, feeds));
  });
});

describe('errors', () => {
  test.each([
    ['models/absent.onnx', {}, 'io', /the server answers 404/],
    ['http://127.0.0.1:9/model.onnx', {}, 'io', /cannot be fetched/],
    ['http://[', {}, 'bad-usage', /not a valid URL/],
    ['models/page.onnx', {}, 'not-onnx', /HTML page/],
    [
      'models/lenet5.onnx',
      { providers: ['cuda' as 'wasm'] },
      'bad-usage',
      /'cuda' is not a provider of a page/,
    ],
    ['models/lenet5.onnx', { providers: [] }, 'bad-usage', /the list of providers is empty/],
    ['models/lenet5.onnx', { form: 'relu' as 'exp' }, 'bad-usage', /'relu' is not a form/],
    ['models/lenet5.onnx', { form: 'native' }, 'unsupported-form', /opset 18/],
    [
      'models/unusual.onnx',
      { providers: ['webgl'] },
      'provider-unavailable',
      /webgl: WebGL does not support HardSigmoid/,
    ],
  ] as const)('%s with %j: %s', async (source, options, code, message) => {
    const { error } = await ask({ source, as: 'raw', options });
    expect(error).toMatchObject({ name: 'OnnxMishError', code, message: expect.stringMatching(message) });
    expect(error?.fix).not.toBe('');
  });

  test('a build of ONNX Runtime without WebGL is reported, and WASM runs the model', async () => {
    const result = await ask({ build: 'wasm', source: 'models/lenet5.onnx', feeds: images });
    expect(result.made?.provider).toBe('wasm');
    expect(result.made?.refused).toEqual([
      {
        provider: 'webgl',
        reason: 'this build of onnxruntime-web has no webgl',
        fix: "Import it from 'onnxruntime-web/all'",
      },
    ]);
  });

  test('a download can be aborted', async () => {
    for (const as of ['url', 'response', 'stream'] as const) {
      const { error, made } = await ask({ source: 'models/resnet20.onnx', as, abortAfter: 1 });
      expect(error, as).toMatchObject({ name: 'OnnxMishError', code: 'aborted' });
      expect(made).toBeUndefined();
    }
  });
});

describe('the cache', () => {
  test('a cached model needs no download, unless its entry is damaged or the original has changed', async () => {
    const own = await pages.open();
    await own.waitForFunction(() => 'work' in globalThis);
    let tag = '"one"';
    let body = await readFile(modelPath('mlp.onnx'));
    await own.route('**/cached.onnx', (route) => route.fulfill({ body, headers: { ETag: tag } }));
    const request = { source: 'cached.onnx', feeds: images } as const;
    const made = async (options: MishSessionOptions, as: Request['as'] = 'url') => {
      // Ten sessions: WebGL compiles its kernels for each.
      const where = isHeavy ? {} : ({ providers: ['wasm'] } as const);
      const result = await ask({ ...request, as, options: { ...where, ...options } }, 'work', own);
      expect(result.error).toBeUndefined();
      const fetches = result.progress.flatMap((event) => (event.phase === 'fetch' ? event : []));
      const fetched = fetches.length > 0;
      if (fetched) expect(fetches.at(-1)).toMatchObject({ loaded: body.length, total: body.length });
      return { cache: result.made?.cache, fetched, outputs: result.outputs };
    };
    const first = await made({ cache: true });
    expect(first).toMatchObject({ cache: 'stored', fetched: true });
    expect(await made({ cache: true })).toEqual({ ...first, cache: 'hit', fetched: false });
    expect(await made({ cache: true }, 'bytes')).toEqual({ ...first, cache: 'hit', fetched: false });
    expect(await made({ cache: true, beta: 2 })).toMatchObject({ cache: 'stored', fetched: true });
    expect(await made({})).toEqual({ ...first, cache: undefined });

    // After any change to a cache entry, the model is prepared again.
    for (const [isModel, content] of [
      [true, 'no model'],
      [false, '{"prepared":'],
    ] as const) {
      const damaged = await own.evaluate(
        async ([isModel, content]) => {
          const cache = await caches.open('onnx-mish');
          const ours = (await cache.keys()).filter(({ url }) => !/validator/.test(url));
          const entries = ours.filter(({ url }) => url.endsWith('/model') === isModel);
          for (const { url } of entries) await cache.put(url, new Response(content));
          return entries.length;
        },
        [isModel, content] as const,
      );
      expect(damaged).toBeGreaterThan(0);
      expect(await made({ cache: true })).toEqual(first);
    }

    [tag, body] = ['"two"', await readFile(modelPath('lenet5.onnx'))];
    const second = await made({ cache: true });
    expect(second).toMatchObject({ cache: 'stored', fetched: true });
    expectClose(second.outputs, await expected(body, images));
    expect(await made({ cache: true })).toEqual({ ...second, cache: 'hit', fetched: false });
    await own.close();
  });
});

test('the policy refused only what the tests tried on purpose', () => {
  // Requests that failed on purpose in the tests above are logged, too.
  const refusals = pages.errors.filter((error) => !/Failed to load resource/.test(error));
  expect(
    refusals.filter((error) => /Content Security Policy/.test(error) && !/127\.0\.0\.1:9/.test(error)),
  ).toEqual([]);
});
