import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { swap } from '../../src/index.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { bytesOf } from './models.js';
import { modelPath } from './workbench-page.js';

/** The scores that the swapped LeNet-5 gives for a grey image in Node: what the pages of documentation and examples show. */
export async function greyScores(): Promise<number[]> {
  const { output } = await swap(bytesOf(modelPath('lenet5.onnx')), { form: 'exp' });
  const session = await nodeProvider('cpu').open(await output.bytes());
  const data = new Float32Array(28 * 28).fill(0.5);
  const { scores } = await session.run({ images: { elemType: 'f32', dims: [1, 1, 28, 28], data } });
  await session.close();
  return Array.from(scores?.data as Float32Array);
}

/** Waits until a page shows its scores, and holds that they are these. */
export async function expectScores(page: Page, expected: readonly number[]): Promise<void> {
  const element = page.locator('#scores:not(:empty)');
  await element.waitFor({ state: 'attached' });
  const scores = ((await element.textContent()) ?? '').split('\n').map(Number);
  expect(expected).toHaveLength(10);
  expect(scores).toHaveLength(10);
  for (const [place, score] of scores.entries()) expect(score).toBeCloseTo(expected[place] ?? Number.NaN, 4);
}
