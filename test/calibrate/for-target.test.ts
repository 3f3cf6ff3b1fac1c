import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { forTarget } from '../../src/calibrate/for-target.js';
import { undo } from '../../src/mish/history.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { webglMistakes } from '../../src/providers/webgl/known-bugs.js';
import { failure } from '../support/graph.js';

const load = async (name: string) => {
  const path = new URL(`../cases/${name}.onnx`, import.meta.url);
  return (await swap(await readFile(path), { form: 'exp', undo: false })).output;
};

test.each(['webgl_reshape_relu', 'webgl_reshape_mul', 'webgl_conv_sigmoid', 'webgl_conv_relu6_net'])(
  'what WebGL computes wrong in %s is written for the target webgl, as retarget does, and listed',
  async (name) => {
    const plain = await load(name);
    expect(webglMistakes(await scan(await plain.bytes()))).not.toEqual([]);
    const { output, notes } = await forTarget(plain, 'webgl');
    const bytes = await output.bytes();
    expect(webglMistakes(await scan(bytes))).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(/^rewritten for WebGL, .*: \w+ /)]);
    const other = await retarget(await plain.bytes(), { target: 'webgl', undo: false });
    expect(bytes).toEqual(await other.output.bytes());
    // What was calibrated is no swap that could be undone.
    expect(await failure(undo(bytes))).toMatchObject({ code: 'cannot-undo' });
    for (const target of ['cpu', 'webgpu', undefined] as const)
      expect(await forTarget(plain, target)).toEqual({ output: plain, notes: [] });
  },
);

test('a model without such nodes stays unchanged', async () => {
  const plain = await load('abs_by_relu');
  expect(await forTarget(plain, 'webgl')).toEqual({ output: plain, notes: [] });
});
