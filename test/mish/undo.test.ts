import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import type { SwapOptions } from '../../src/mish/swap.js';
import { decode, swapped } from '../support/graph.js';
import { casesOf } from '../support/heavy.js';
import { type ModelParts, model, modelProto, node } from '../support/model.js';

const both: ModelParts = {
  nodes: [
    node('Relu', ['x'], ['r'], {}, { docString: 'kept by undo', name: 'act' }),
    node('LeakyRelu', ['r'], ['y'], { alpha: { f: 0.3 } }),
  ],
};
const source = model(both);
/** The model with an entry in its metadata. */
function withEntry(key: string, value: string): Uint8Array {
  return Uint8Array.from(
    onnx.ModelProto.encode({ ...modelProto(both), metadataProps: [{ key, value }] }).finish(),
  );
}

const undone = async (bytes: Uint8Array) => (await undo(bytes)).bytes();
const keys = (bytes: Uint8Array) => decode(bytes).metadataProps.map(({ key }) => key);

describe('undo', () => {
  test.each<SwapOptions>([{}, { form: 'exp', beta: 2 }, { form: 'native' }, { only: ['relu'] }])(
    'gives back every byte: %j',
    async (options) => {
      expect(await undone((await swapped(source, options)).bytes)).toEqual(source);
    },
  );

  test('of relu first and leakyrelu later, twice', async () => {
    const first = await swapped(source, { only: ['relu'] });
    const second = await swapped(first.bytes, { only: ['leakyrelu'], form: 'exp' });
    expect(second.report.sites).toHaveLength(1);
    expect(await undone(second.bytes)).toEqual(first.bytes);
    expect(await undone(await undone(second.bytes))).toEqual(source);
  });

  test('of a retarget gives back the swapped model', async () => {
    const first = await swapped(source);
    const { output } = await retarget(first.bytes, { form: 'exp' });
    expect(await undone(await output.bytes())).toEqual(first.bytes);
  });

  test('keeps the metadata of others, whatever its order', async () => {
    const own = withEntry('author', 'somebody');
    const { bytes } = await swapped(own);
    expect(keys(bytes)).toEqual(['author', 'onnx-mish', 'onnx-mish.undo']);
    expect(await undone(bytes)).toEqual(own);
  });

  test('works for any mixture of nodes and any choice of them', async () => {
    const ops = fc.array(fc.constantFrom('Relu', 'LeakyRelu', 'Sigmoid', 'Tanh'), {
      minLength: 1,
      maxLength: 12,
    });
    const forms = fc.constantFrom('softplus' as const, 'exp' as const, 'native' as const);
    const kinds = fc.subarray(['relu', 'leakyrelu']);
    await fc.assert(
      fc.asyncProperty(ops, forms, kinds, async (list, form, only) => {
        const nodes = list.map((op, at) => node(op, [at === 0 ? 'x' : `v${at}`], [`v${at + 1}`]));
        const original = model({ nodes });
        const { bytes, report } = await swapped(original, { form, only });
        expect(report.sites).toHaveLength(list.filter((op) => only.includes(op.toLowerCase())).length);
        expect(report.sites.length === 0 ? bytes : await undone(bytes)).toEqual(original);
      }),
      { numRuns: casesOf(120) },
    );
  });
});

describe('without a record', () => {
  test('--no-undo leaves it out, and only it', async () => {
    const { bytes } = await swapped(source, { undo: false });
    expect(keys(bytes)).toEqual(['onnx-mish']);
    await expect(undo(bytes)).rejects.toMatchObject({
      code: 'cannot-undo',
      fix: expect.stringContaining('or swapped without an undo record'),
      option: { undo: false },
    });
  });

  test('a second operation without one takes the first one’s away, which would no longer fit', async () => {
    const first = await swapped(source, { only: ['relu'] });
    const second = await swapped(first.bytes, { only: ['leakyrelu'], undo: false });
    expect(keys(second.bytes)).toEqual(['onnx-mish']);
    await expect(undo(second.bytes)).rejects.toMatchObject({ code: 'cannot-undo' });
  });

  test('a model that was never swapped', async () => {
    await expect(undo(source)).rejects.toMatchObject({ code: 'cannot-undo' });
  });
});

describe('a file that has changed since', () => {
  test('is refused rather than broken', async () => {
    const { bytes } = await swapped(source);
    // The third letter of Softplus, inside what undo would replace.
    const at = new TextDecoder('latin1').decode(bytes).indexOf('Softplus');
    const changed = bytes.with(at + 2, 0x46);
    await expect(undo(changed)).rejects.toMatchObject({
      code: 'cannot-undo',
      what: expect.stringContaining('changed since'),
    });
  });

  test.each(['', '{', 'null', '{"v":2}', '{"v":1,"size":1e9,"check":0,"edits":[]}', '{"v":1,"size":-1}'])(
    'a record that says %j is refused',
    async (record) => {
      const bytes = withEntry('onnx-mish.undo', record);
      await expect(undo(bytes)).rejects.toMatchObject({ code: 'cannot-undo' });
    },
  );
});

describe('the record of what was done', () => {
  test('names the operation, the version, the form, the sharpness and the number of sites', async () => {
    const { bytes } = await swapped(source, { form: 'exp', beta: 2 });
    const { history } = await inspect(bytes);
    expect(history).toEqual([
      { operation: 'swap', form: 'exp', beta: 2, sites: 2, version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
    ]);
  });

  test('grows with each operation, in order', async () => {
    const first = await swapped(source, { only: ['relu'] });
    const second = await swapped(first.bytes, { only: ['leakyrelu'], form: 'exp' });
    const { output } = await retarget(second.bytes, { form: 'native' });
    const { history } = await inspect(await output.bytes());
    expect(history.map(({ operation, form, sites }) => [operation, form, sites])).toEqual([
      ['swap', 'softplus', 1],
      ['swap', 'exp', 1],
      ['retarget', 'native', 2],
    ]);
    expect(keys(await output.bytes())).toEqual(['onnx-mish', 'onnx-mish.undo']);
  });

  test.each(['', 'null', '[]', '{"operations":3}', '{"operations":[null,{},{"operation":"bake"}]}'])(
    'that cannot be read, %j, counts as none, and a swap replaces it',
    async (record) => {
      const bytes = withEntry('onnx-mish', record);
      expect((await inspect(bytes)).history).toEqual([]);
      const after = await swapped(bytes);
      expect((await inspect(after.bytes)).history).toHaveLength(1);
      expect(await undone(after.bytes)).toEqual(bytes);
    },
  );
});
