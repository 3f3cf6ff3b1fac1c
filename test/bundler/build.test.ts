import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Inspection, inspect, type SwapOptions } from '../../src/index.js';
import { swapFile } from '../../src/node/index.js';
import { fetched, openBrowser, resultOf, serveBuilt, sha256 } from '../support/app-page.js';
import { type App, BUILD, BUNDLERS, makeApp } from '../support/bundlers.js';
import { failure } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { model, node } from '../support/model.js';
import { bytesOf } from '../support/models.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const MAIN = `
import vgg, { externalData } from './vgg-leaky.onnx?mish';
import lenet, { externalData as none } from './lenet5.onnx?mish';
import sharp from './lenet5.onnx?form=softplus&beta=2&exclude=/1/*,/4/*&mish';
import info from './lenet5.onnx?mish-info';
globalThis.result = { vgg, externalData, lenet, none, sharp, info };
`;
const MODELS = ['vgg-leaky.onnx', 'vgg-leaky.onnx.data', 'lenet5.onnx'];

interface Result {
  readonly vgg: string;
  readonly externalData: readonly { readonly path: string; readonly data: string }[];
  readonly lenet: string;
  readonly none: unknown;
  readonly sharp: string;
  readonly info: Inspection;
}

/** Returns the hash of the model that the command line writes. */
async function swapHash({ root }: App, name: string, options: SwapOptions): Promise<string> {
  const output = join(root, `expected-${name}`); // in the model's folder, where its data are
  await swapFile(join(root, name), { undo: false, force: true, output, ...options });
  return sha256(bytesOf(output));
}

const built = async ({ folder }: App) => (await folder.list()).filter((name) => name.startsWith('dist/'));

describe.each(BUNDLERS)('%s', (bundler) => {
  test('a page imports swapped models, their external data and the inspection', async () => {
    const app = await makeApp(MAIN, MODELS);
    expect(await BUILD[bundler](app)).toEqual({ warnings: [] });
    const url = await serveBuilt(app);
    const { page, result } = await resultOf<Result>(browser, url);
    const hash = async (address: string | undefined) =>
      sha256(await fetched(page, new URL(address ?? '', url).href));

    expect(await hash(result.vgg)).toBe(await swapHash(app, 'vgg-leaky.onnx', { target: 'wasm' }));
    expect(await hash(result.lenet)).toBe(await swapHash(app, 'lenet5.onnx', { form: 'exp' }));
    const sharp = { beta: 2, exclude: ['/1/*', '/4/*'] };
    expect(await hash(result.sharp)).toBe(await swapHash(app, 'lenet5.onnx', sharp));
    expect(result.externalData.map(({ path }) => path)).toEqual(['vgg-leaky.onnx.data']);
    expect(await hash(result.externalData[0]?.data)).toBe(
      sha256(bytesOf(join(app.root, 'vgg-leaky.onnx.data'))),
    );
    expect(result.none).toEqual([]);
    const inspection = await inspect(bytesOf(join(app.root, 'lenet5.onnx')));
    expect(result.info).toEqual(JSON.parse(JSON.stringify(inspection)));
  });

  test('a data file may have a name that bundlers and URLs read otherwise', async () => {
    const location = 'w #1?50%21!.data';
    const main =
      "import url, { externalData } from './odd.onnx?mish'; globalThis.result = { url, externalData };";
    const app = await makeApp(main, []);
    const externalData = [{ key: 'location', value: location }];
    const weight = { name: 'w', dataType: 1, dims: [4], dataLocation: 1, externalData };
    const nodes = [node('Add', ['x', 'w'], ['h']), node('Relu', ['h'], ['y'])];
    await writeFile(join(app.root, 'odd.onnx'), model({ nodes, initializers: [weight] }));
    for (const seed of [1, 2]) {
      const data = Uint8Array.from({ length: 16 }, (_, at) => seed * at);
      await writeFile(join(app.root, location), data);
      expect(await BUILD[bundler](app)).toEqual({ warnings: [] });
      const url = await serveBuilt(app);
      const { page, result } = await resultOf<Pick<Result, 'externalData'>>(browser, url);
      const [file] = result.externalData;
      expect(file?.path).toBe(location);
      expect(sha256(await fetched(page, new URL(file?.data ?? '', url).href))).toBe(sha256(data));
    }
  });

  // Vite, webpack and Rspack stand for the others, except in `npm run test:heavy`.
  if (!everyNth(2, BUNDLERS).includes(bundler)) return;

  test('asset names depend on content: the same for each build, and different for other options', async () => {
    const main = "import url from './lenet5.onnx?mish'; globalThis.result = url;";
    const app = await makeApp(main, ['lenet5.onnx']);
    await BUILD[bundler](app);
    const first = await built(app);
    expect(first.filter((name) => name.endsWith('.onnx'))).toHaveLength(1);
    await rm(app.outDir, { recursive: true });
    await BUILD[bundler](app); // from the cache
    expect(await built(app)).toEqual(first);
    await rm(app.folder.at('cache'), { recursive: true });
    await rm(app.outDir, { recursive: true });
    await BUILD[bundler](app); // swapped again, although webpack has a cache
    expect(await built(app)).toEqual(first);
    await rm(app.outDir, { recursive: true });
    await BUILD[bundler]({ ...app, options: { ...app.options, beta: 3 } });
    const other = (await built(app)).filter((name) => name.endsWith('.onnx'));
    expect(other).toHaveLength(1);
    expect(first).not.toContain(other[0]);
  });

  test('a model without sites is bundled unchanged, with a warning in each build', async () => {
    const app = await makeApp("import url from './net.onnx?mish'; globalThis.result = url;", []);
    const bytes = model({ nodes: [node('Sigmoid', ['x'], ['y'])] });
    await writeFile(join(app.root, 'net.onnx'), bytes);
    for (let round = 0; round < 2; round++) {
      const { warnings } = await BUILD[bundler](app);
      expect(warnings).toEqual([
        expect.stringContaining(`${join(app.root, 'net.onnx')}: the model has no activation to swap`),
      ]);
    }
    const asset = (await built(app)).find((name) => name.endsWith('.onnx'));
    expect(await app.folder.read(asset ?? '')).toEqual(bytes);
  });

  test('an invalid model or import fails the build with a sentence and advice', async () => {
    const main = (query: string) => `import url from './vgg-leaky.onnx?${query}'; globalThis.result = url;`;
    const messageOf = async (app: App) => {
      const message = String(await failure(BUILD[bundler](app)));
      expect(message).not.toContain('bundler/plugin'); // no stack trace of the plugin
      return message;
    };

    const odd = await makeApp(main('from=exp&mish'), MODELS);
    const path = join(odd.root, 'vgg-leaky.onnx');
    expect(await messageOf(odd)).toContain(
      `${path}: 'from' is not an option of an import. Choose from form, target`,
    );
    const lacking = await makeApp(main('mish'), MODELS);
    await rm(join(lacking.root, 'vgg-leaky.onnx.data'));
    expect(await messageOf(lacking)).toContain(
      `${join(lacking.root, 'vgg-leaky.onnx.data')}: the file does not exist, and tensor `,
    );
    await writeFile(join(lacking.root, 'vgg-leaky.onnx'), '{"not": "a model"}');
    expect(await messageOf(lacking)).toMatch(/vgg-leaky\.onnx: .*JSON/);
    await rm(join(lacking.root, 'vgg-leaky.onnx'));
    expect(await messageOf(lacking)).toContain('vgg-leaky.onnx');
  });
});
