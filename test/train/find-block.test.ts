import { expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { findBlock } from '../../src/train/find-block.js';
import { wasmProvider } from '../support/wasm-provider.js';

test('CPUs have a blocked layout of 8 or 16 channels', async ({ skip }) => {
  skip(process.arch !== 'x64', 'ONNX Runtime has other layouts on other processors');
  expect([8, 16]).toContain(await findBlock(nodeProvider('cpu')));
});

test('WebAssembly has no blocked layout', async () => {
  expect(await findBlock(wasmProvider())).toBeUndefined();
});
