import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runtimeFiles } from '../../src/providers/browser/provider.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import * as train from '../../src/train/index.js';
import { isHeavy } from '../support/heavy.js';
import { bytesOf } from '../support/models.js';
import { builtFiles, openPages, type Pages } from '../support/pages.js';
import { modelPath } from '../support/workbench-page.js';

// Trains LeNet-5 by the published onnx-mish/train in a worker of a real browser under a strict policy.

const folder = new URL('./pages/', import.meta.url).pathname;
const { exercise } = await import(join(folder, 'train.js'));
const text = (content: string) => new TextEncoder().encode(content);

interface Result {
  readonly losses: readonly (readonly [number, number])[];
  readonly size: number;
  readonly error?: string;
}

let pages: Pages;
let page: Page;
let expected: Result;
beforeAll(async () => {
  const runtime = (await runtimeFiles()).filter(([name]) =>
    /^ort\.(wasm|all)\.min\.mjs$|^ort-wasm-simd-threaded(\.jsep)?\.(mjs|wasm)$/.test(name),
  );
  pages = await openPages([
    ['index.html', text('<!doctype html><title>train</title><script type="module" src="train.js"></script>')],
    ['train.js', { file: join(folder, 'train.js') }],
    ['lenet5.onnx', { file: modelPath('lenet5.onnx') }],
    ...runtime.map(([name, content]) => [`ort/${name}`, content] as const),
    ...(await builtFiles()),
  ]);
  page = await pages.open();
  await page.waitForFunction(() => 'inWorker' in globalThis);
  expected = await exercise(train, bytesOf('models/lenet5.onnx'), nodeProvider('cpu'));
});
afterAll(() => pages?.close());

interface Request {
  readonly build: string;
  readonly provider: string;
  readonly reference?: string;
  readonly epochs: number;
}

function inWorker(request: Request): Promise<Result> {
  return page.evaluate(
    (asked) => (globalThis as unknown as { inWorker(asked: unknown): Promise<Result> }).inWorker(asked),
    request,
  );
}

const requests: readonly (readonly [string, Request, number])[] = [
  ['WASM', { build: 'wasm', provider: 'wasm', epochs: isHeavy ? 3 : 2 }, 1e-4],
  // On a software GPU an epoch takes a minute. Each tensor of a first step before RMSprop's divisions differs from Node's by at most
  // 1e-6 of its largest element. RMSprop divides gradients near 0 by themselves: its steps differ by up to 6e-5, which adds up.
  ...(isHeavy
    ? [
        [
          'WebGPU, checked by WASM',
          { build: 'all', provider: 'webgpu', reference: 'wasm', epochs: 1 },
          1e-3,
        ] as const,
      ]
    : []),
];

test.each(requests)(
  'a worker gives Node’s losses on %s',
  async (_, request, tolerance) => {
    const found = await inWorker(request);
    expect(found.error).toBeUndefined();
    expect(found.size).toBe(expected.size);
    expect(found.losses).toHaveLength(request.epochs);
    for (const [epoch, both] of expected.losses.slice(0, request.epochs).entries()) {
      for (const [at, loss] of both.entries())
        expect(Math.abs((found.losses[epoch]?.[at] ?? Number.NaN) / loss - 1), `epoch ${epoch}`).toBeLessThan(
          tolerance,
        );
    }
    expect(expected.losses.at(-1)?.[0]).toBeLessThan(expected.losses[0]?.[0] ?? 0);
    expect(pages.errors).toEqual([]);
  },
  240_000,
);
