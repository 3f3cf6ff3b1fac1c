import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { type ImageSource, imageFeeds } from '../../src/data/images.js';
import type { Histogram } from '../../src/metrics/histogram.js';
import { activations } from '../../src/node/calibrate-files.js';
import { decodeImage } from '../../src/node/read-images.js';
import { swapFile } from '../../src/node/transform-file.js';
import { parseReport } from '../../src/validate/report-schema.js';
import type { InputChoice, RunEvent, SiteHistogram } from '../../src/web/workbench/protocol.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { REAL_MODELS } from '../support/models.js';
import { npy, raw } from '../support/numpy.js';
import { withoutDigest } from '../support/record.js';
import { type Bench, type InPage, openBench } from '../support/workbench.js';

const models = new URL('../../models/', import.meta.url).pathname;
const model = (name: string) => join(models, name);

const pixels = Float32Array.from({ length: 8 * 28 * 28 }, (_, index) => Math.sin(index * index));
const { classifier } = REAL_MODELS;

let bench: Bench;
let picture: Buffer;
beforeAll(async () => {
  // A smooth image, because filters differ most in fine details.
  const waves = Uint8Array.from({ length: 300 * 60 * 3 }, (_, index) => {
    const [x, y] = [Math.floor(index / 3) % 300, Math.floor(index / 900)];
    return 127 + 120 * Math.sin(x / 20 + (index % 3)) * Math.cos(y / 15);
  });
  picture = await sharp(waves, { raw: { width: 300, height: 60, channels: 3 } })
    .png()
    .toBuffer();
  bench = await openBench({
    'lenet5.onnx': { file: model('lenet5.onnx') },
    'mlp.onnx': { file: model('mlp.onnx') },
    'vgg-leaky.onnx': { file: model('vgg-leaky.onnx') },
    'vgg-leaky.onnx.data': { file: model('vgg-leaky.onnx.data') },
    'classifier.onnx': { file: classifier },
    'image.png': new Uint8Array(picture),
    'samples.npz': zipSync({ 'images.npy': npy('<f4', [8, 1, 28, 28], raw(pixels)) }),
    'wrong.npz': zipSync({ 'images.npy': npy('<f4', [8, 784], raw(pixels)) }),
    'broken.onnx': new TextEncoder().encode('no model at all'),
  });
});
afterAll(() => bench?.close());

/** Opens a model from the server. */
const open = (name: string, external: readonly string[] = []) =>
  bench.page.evaluate(
    async ([own, others]) => {
      const { bench, file } = globalThis as unknown as InPage;
      return bench.open(await file(own), await Promise.all(others.map(file)));
    },
    [name, external] as const,
  );

/** Swaps the open model at these sites (default: all). */
async function swap(form: 'exp' | 'softplus', sites?: readonly number[], more: object = {}) {
  const answer = await bench.page.evaluate(
    async ([form, sites, more]) => {
      const { bench } = globalThis as unknown as InPage;
      const all = sites ?? Array.from({ length: 100 }, (_, index) => index);
      const answer = await bench.swap({ form, beta: 1, leaky: 'mish', sites: all, ...more });
      if (!answer.ok) return answer;
      const { name, blob, report } = answer.value;
      // As text: Playwright takes seconds for an array of so many numbers.
      const address = await new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(String(reader.result));
        reader.readAsDataURL(blob);
      });
      return { ok: true, name, report, base64: address.slice(address.indexOf(',') + 1) } as const;
    },
    [form, sites, more] as const,
  );
  if (!('base64' in answer)) return answer;
  const { base64, ...rest } = answer;
  return { ...rest, bytes: new Uint8Array(Buffer.from(base64, 'base64')) };
}

const noise = { kind: 'noise', seed: 3, runs: 2 } as const;

/** Returns how many elements are counted in different bins; all elements if the bins differ. */
function far(found: SiteHistogram, expected: Histogram | null | undefined): number {
  const all = found.counts.reduce((sum, count) => sum + count, 0);
  if (found.from !== expected?.from || found.width !== expected.width) return all;
  return found.counts.reduce((sum, count, bin) => sum + Math.abs(count - (expected.counts[bin] ?? 0)), 0);
}

/** Returns mean and standard deviation, as if every element were at the centre of its bin. */
function moments({ from, width, counts }: SiteHistogram): { mean: number; std: number } {
  const sum = (of: (middle: number) => number) =>
    counts.reduce((total, count, bin) => total + count * of(from + (bin + 0.5) * width), 0);
  const n = sum(() => 1);
  const mean = sum((middle) => middle) / n;
  return { mean, std: Math.sqrt(sum((middle) => (middle - mean) ** 2) / n) };
}

describe('open and swap', () => {
  test('the download equals the command line’s output, except for the digest, which a page does not calculate', async () => {
    const opened = await open('lenet5.onnx');
    expect(opened).toMatchObject({ ok: true, value: { name: 'lenet5.onnx', missing: [] } });
    const swapped = await swap('exp');
    const folder = await tempFolder();
    const output = join(folder.path, 'out.onnx');
    await swapFile(model('lenet5.onnx'), { form: 'exp', output });
    if (!('bytes' in swapped)) throw new Error(JSON.stringify(swapped));
    expect(swapped.name).toBe('lenet5.mish.onnx');
    expect(withoutDigest(swapped.bytes).equals(withoutDigest(await readFile(output)))).toBe(true);
  });

  test('mixtures at some sites equal those of the command line', async () => {
    const opened = await open('vgg-leaky.onnx');
    if (!opened.ok) throw new Error(opened.problem.what);
    expect(opened.value.missing).toEqual(['vgg-leaky.onnx.data']);
    const [first] = opened.value.inspection.sites;
    const swapped = await swap('exp', [0], { leaky: 'mixture', beta: 2 });
    const folder = await tempFolder();
    const output = join(folder.path, 'out.onnx');
    await folder.write('vgg-leaky.onnx.data', await readFile(model('vgg-leaky.onnx.data')));
    const include = [first?.output ?? ''];
    await swapFile(model('vgg-leaky.onnx'), {
      form: 'exp',
      beta: 2,
      leaky: 'mixture',
      include,
      output,
      force: true,
    });
    if (!('bytes' in swapped)) throw new Error(JSON.stringify(swapped));
    expect(swapped.report.sites).toHaveLength(1);
    expect(withoutDigest(swapped.bytes).equals(withoutDigest(await readFile(output)))).toBe(true);
  });

  test('another activation is written as by the command line, at all sites or some', async () => {
    await open('lenet5.onnx');
    for (const sites of [undefined, [0, 2]]) {
      const listed = await bench.page.evaluate(() =>
        (globalThis as unknown as InPage).bench.sites('hardswish'),
      );
      if (!listed.ok) throw new Error(listed.problem.what);
      const outputs = listed.value.inspection.sites.map(({ output }) => output);
      const swapped = await swap('exp', sites, { to: 'hardswish' });
      if (!('bytes' in swapped)) throw new Error(JSON.stringify(swapped));
      expect(swapped.name).toBe('lenet5.hardswish.onnx');
      const folder = await tempFolder();
      const output = join(folder.path, 'out.onnx');
      const include = sites?.map((site) => outputs[site] ?? '');
      await swapFile(model('lenet5.onnx'), { to: 'hardswish', include, output });
      const expected = withoutDigest(await readFile(output));
      expect(withoutDigest(swapped.bytes).equals(expected)).toBe(true);
    }
  });

  test('a file that is not a model gives a problem with advice, and the open model stays', async () => {
    await open('lenet5.onnx');
    expect(await open('broken.onnx')).toMatchObject({
      ok: false,
      problem: { code: 'not-onnx', where: 'broken.onnx', fix: expect.any(String) },
    });
    expect(await swap('exp')).toMatchObject({ ok: true });
  });
});

describe('run', () => {
  test('of several files that are opened at once, the last is the open model', async () => {
    const [first, second, third] = await bench.page.evaluate(async () => {
      const { bench, file } = globalThis as unknown as InPage;
      const files = await Promise.all(['classifier.onnx', 'lenet5.onnx', 'mlp.onnx'].map(file));
      const answers = await Promise.all(files.map((one) => bench.open(one, [])));
      return answers.map((answer) => (answer.ok ? answer.value.name : answer.problem.code));
    });
    expect([first, second, third]).toEqual(['aborted', 'aborted', 'mlp.onnx']);
    expect(await swap('exp')).toMatchObject({ ok: true, name: 'mlp.mish.onnx' });
  });

  test('of several activations and swaps that are asked for at once, the last counts', async () => {
    await open('mlp.onnx');
    const last = await bench.page.evaluate(async () => {
      const { bench } = globalThis as unknown as InPage;
      const kinds = ['swish', 'hardswish', 'gelu'] as const;
      const listed = await Promise.all(kinds.map((to) => bench.sites(to)));
      const swaps = await Promise.all(
        [[0, 1], [0], [1]].map((sites) =>
          bench.swap({ form: 'exp', beta: 1, leaky: 'mish', to: 'gelu', sites }),
        ),
      );
      return { listed: listed.at(-1), swapped: swaps.at(-1) };
    });
    // An earlier one may be done before the next arrives.
    expect(last.listed).toMatchObject({ ok: true });
    expect(last.swapped).toMatchObject({ ok: true, value: { report: { to: 'gelu', sites: [{}] } } });
  });

  test('both models run on each provider and give events, a report and its HTML', async () => {
    // WebGPU compiles for half a minute on a software GPU. Sessions in a page and browserProvider run on it by default, too.
    const providers = [...(['wasm', 'webgl'] as const), ...(isHeavy ? (['webgpu'] as const) : [])];
    await open('mlp.onnx'); // which has few kernels
    await swap('exp');
    const { answer, events, html } = await bench.page.evaluate(
      async ([input, providers]) => {
        const { bench, proxy } = globalThis as unknown as InPage;
        const events: RunEvent[] = [];
        const choice = { input, dims: { '*': 1 }, shapes: {}, pairs: 6 };
        const answer = await bench.run(
          { ...choice, providers },
          proxy((event: RunEvent) => {
            events.push(event);
          }),
        );
        const html = answer.ok ? await bench.html(answer.value) : undefined;
        return { answer, events, html };
      },
      [noise, providers] as const,
    );
    if (!answer.ok) throw new Error(JSON.stringify(answer.problem));
    const report = parseReport(JSON.parse(JSON.stringify(answer.value)));
    const [wasm, webgl, webgpu] = report.providers;
    expect(report.providers).toHaveLength(providers.length);
    expect(wasm).toMatchObject({ provider: 'wasm', status: 'ran', latency: { n: 6 } });
    expect(webgl).toMatchObject({ provider: 'webgl', status: 'ran', latency: { n: 6 } });
    if (webgpu !== undefined && webgpu.status !== 'ran') console.log(`webgpu did not run: ${webgpu?.reason}`);
    for (const row of report.providers.filter(({ status }) => status === 'ran')) {
      expect(row.kernel.every(({ problem }) => problem === null)).toBe(true);
      const times = events.flatMap((event) =>
        event.kind === 'pairs' && event.provider === row.provider ? event.times : [],
      );
      expect(times).toHaveLength(6);
    }
    const rows = events.flatMap((event) => (event.kind === 'row' ? [event.row.provider] : []));
    expect(rows).toEqual(providers);
    if (!html?.ok) throw new Error(JSON.stringify(html));
    expect(html.value).toMatch(/^<!doctype html>/i);
    expect(html.value).toContain('<svg');
  });

  test('a model with external data runs once its data are given', async () => {
    await open('vgg-leaky.onnx');
    await swap('exp');
    // A session in a page has external data on WebGL by default.
    const providers = isHeavy ? (['wasm', 'webgl'] as const) : (['wasm'] as const);
    const runs = () =>
      bench.page.evaluate(
        async ([input, providers]) => {
          const { bench, proxy } = globalThis as unknown as InPage;
          const choice = { dims: { '*': 1 }, shapes: {}, pairs: 1 };
          const answer = await bench.run(
            { ...choice, input, providers },
            proxy(() => {}),
          );
          const ran = answer.ok && answer.value.providers.map(({ status }) => status);
          return answer.ok ? [answer.value.passed, ran] : answer.problem.code;
        },
        [noise, providers] as const,
      );
    expect(await runs()).toBe('external-data');
    await open('vgg-leaky.onnx', ['vgg-leaky.onnx.data']);
    await swap('exp');
    expect(await runs()).toEqual([true, providers.map(() => 'ran')]);
  });

  test('stop ends a run within a second', async () => {
    await open('lenet5.onnx');
    await swap('exp');
    const { answer, ms } = await bench.page.evaluate(async (input) => {
      const { bench, proxy } = globalThis as unknown as InPage;
      let begun = () => {};
      const timing = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const choice = { providers: ['wasm'], dims: { '*': 1 }, shapes: {}, pairs: 1e6 } as const;
      const onEvent = proxy((event: RunEvent) => {
        if (event.kind === 'pairs') begun();
      });
      const running = bench.run({ ...choice, input }, onEvent);
      await timing;
      const start = performance.now();
      await bench.stop();
      return { answer: await running, ms: performance.now() - start };
    }, noise);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'aborted' } });
    expect(ms).toBeLessThan(1000);
    expect(await swap('exp')).toMatchObject({ ok: true }); // the models are still open
  });
});

test('fits returns the providers that can run a model, and the nodes that prevent the others', async () => {
  await open('lenet5.onnx');
  await swap('softplus');
  const fits = await bench.page.evaluate(() => (globalThis as unknown as InPage).bench.fits('original'));
  if (!fits.ok) throw new Error(fits.problem.what);
  expect(fits.value.map(({ provider, runs }) => [provider, runs]).slice(0, 2)).toEqual([
    ['wasm', true],
    ['webgl', true],
  ]);
  for (const { runs, reason } of fits.value) expect(runs).toBe(reason === null);
});

test('the histogram of a site equals the one from calibrate in Node', async () => {
  await open('lenet5.onnx');
  const found = await bench.page.evaluate(
    async (input) =>
      (globalThis as unknown as InPage).bench.histogram({ site: 1, to: undefined }, input, { '*': 1 }, {}),
    noise,
  );
  if (!found.ok) throw new Error(found.problem.what);
  const { sites } = await activations(model('lenet5.onnx'), {
    data: (inputs) => seededFeeds(inputs, { seed: 3, count: 2, dims: { '*': 1 } }),
  });
  // Two builds round convolutions differently, so that a few elements fall into a neighbouring bin.
  expect(far(found.value, sites[1]?.histogram)).toBeLessThanOrEqual(4);
});

/** Returns the histogram of the first site, for data that the page fetches. */
const histogram = (kind: 'npz' | 'images', name: string, shapes: Record<string, readonly number[]>) =>
  bench.page.evaluate(
    async ([kind, name, shapes]) => {
      const { bench, file } = globalThis as unknown as InPage;
      const given = await file(name);
      const input: InputChoice = kind === 'npz' ? { kind, file: given } : { kind, files: [given] };
      return bench.histogram({ site: 0, to: undefined }, input, {}, shapes);
    },
    [kind, name, shapes] as const,
  );

test('an .npz gives the same feeds as in Node, with four samples per run or one', async () => {
  await open('lenet5.onnx');
  const tensor = { elemType: 'f32', dims: [8, 1, 28, 28], data: pixels } as const;
  const { sites } = await activations(model('lenet5.onnx'), {
    data: (inputs) => sampledFeeds({ images: tensor }, inputs, {}),
  });
  for (const batch of [1, 4]) {
    const found = await histogram('npz', 'samples.npz', { images: [batch, 1, 28, 28] });
    if (!found.ok) throw new Error(found.problem.what);
    expect(far(found.value, sites[0]?.histogram)).toBeLessThanOrEqual(4);
  }
});

test('an image is decoded, resized and cropped nearly as in Node', async () => {
  await open('classifier.onnx');
  const shapes = { x: [1, 3, 48, 192] };
  const found = await histogram('images', 'image.png', shapes);
  if (!found.ok) throw new Error(JSON.stringify(found.problem));
  const folder = await tempFolder();
  await folder.write('image.png', picture);
  const source: ImageSource = { labels: [0], decode: (_, box) => decodeImage(folder.at('image.png'), box) };
  const { sites } = await activations(classifier, {
    data: (inputs) => imageFeeds(source, inputs, { shapes }),
  });
  // Filters differ by a few of 255 steps, and so may bins; mean and standard deviation hardly differ.
  const { mean, std } = sites[0] ?? {};
  const centred = moments(found.value);
  expect(Math.abs(centred.mean - (mean ?? 0))).toBeLessThan(0.05 * (std ?? 0));
  expect(Math.abs(centred.std / (std ?? 0) - 1)).toBeLessThan(0.05);
});

test('a problem with data names no option of the command line', async () => {
  await open('lenet5.onnx');
  const found = await histogram('npz', 'wrong.npz', {});
  expect(found).toMatchObject({
    ok: false,
    problem: { code: 'bad-data', fix: expect.not.stringContaining('--') },
  });
});

test('no test violated the page’s policy', () => {
  expect(bench.errors.filter((error) => /Content Security Policy/i.test(error))).toEqual([]);
});
