import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { history, spliceWithRecord, undo } from '../../src/mish/history.js';
import { scan } from '../../src/onnx/scan.js';
import { model, modelProto, node } from '../support/model.js';

const parts = { nodes: [node('Relu', ['x'], ['y'])] };
const withEntries = (...metadataProps: { key: string; value: string }[]) =>
  onnx.ModelProto.encode({ ...modelProto(parts), metadataProps }).finish();
const record = (value: unknown) => withEntries({ key: 'onnx-mish', value: JSON.stringify(value) });
const good = { operation: 'swap', version: '1.0.0', form: 'exp', sites: 3 };

describe('what was done', () => {
  test('is read from the record, whatever stands beside it', async () => {
    const bytes = withEntries(
      { key: 'other', value: '{"operations":[{"operation":"swap","form":"exp","sites":9}]}' },
      { key: 'onnx-mish', value: JSON.stringify({ operations: [good] }) },
    );
    expect(history(await scan(bytes))).toEqual([good]);
    expect(history(await scan(model(parts)))).toEqual([]);
  });

  test.each(['swap', 'retarget', 'fold', 'fix-relu', 'calibrate'])('may be %s', async (operation) => {
    expect(history(await scan(record({ operations: [{ ...good, operation }] })))).toHaveLength(1);
  });

  test('counts only where each part is what it should be', async () => {
    const { operation, form, sites, ...rest } = good;
    const operations = [
      null,
      'swap',
      7,
      {},
      { ...good, operation: 'bake' },
      { ...good, form: 3 },
      { ...good, sites: '3' },
      { operation, form, ...rest },
      { operation, sites, ...rest },
      { form, sites, ...rest },
      good,
    ];
    expect(history(await scan(record({ operations })))).toEqual([good]);
  });
});

describe('a record', () => {
  const edit = { start: 0, end: 0, bytes: new Uint8Array(0), frame: undefined };

  test('is not written for an operation without sites, and the file stays the same', async () => {
    const bytes = withEntries({ key: 'onnx-mish', value: 'mine' });
    const output = await spliceWithRecord(
      await scan(bytes),
      [edit],
      [{ operation: 'swap', form: 'exp', sites: 0 }],
      true,
    );
    expect(await output.bytes()).toEqual(Uint8Array.from(bytes));
  });

  test('of several operations omits those without sites', async () => {
    const operations = [
      { operation: 'retarget', form: 'exp', sites: 0 },
      { operation: 'fix-relu', form: 'leakyrelu', sites: 2 },
    ] as const;
    const output = await spliceWithRecord(await scan(model(parts)), [], operations, true);
    expect(history(await scan(await output.bytes())).map((one) => one.operation)).toEqual(['fix-relu']);
  });

  test('replaces the previous record and nothing else', async () => {
    const entries = [
      { key: 'a', value: '1' },
      { key: 'onnx-mish', value: JSON.stringify({ operations: [good] }) },
      { key: 'b', value: '2' },
      { key: 'onnx-mish.undo', value: 'old' },
      { key: 'onnx-mish-but-not-ours', value: '3' },
    ];
    const bytes = withEntries(...entries);
    for (const undoable of [true, false]) {
      const output = await spliceWithRecord(
        await scan(bytes),
        [],
        [{ operation: 'fold', form: 'exp', sites: 1 }],
        undoable,
      );
      const written = await output.bytes();
      const keys = onnx.ModelProto.decode(written).metadataProps.map(({ key }) => key);
      expect(keys).toEqual([
        'a',
        'b',
        'onnx-mish-but-not-ours',
        'onnx-mish',
        ...(undoable ? ['onnx-mish.undo'] : []),
      ]);
      expect(history(await scan(written)).map((one) => one.operation)).toEqual(['swap', 'fold']);
      if (undoable) expect(await (await undo(written)).bytes()).toEqual(Uint8Array.from(bytes));
    }
  });
});

describe('undo without a record is refused', () => {
  test.each([
    [[], /never swapped, or swapped without an undo record/],
    [[good], /never swapped, or swapped without an undo record/],
    [[good, { ...good, operation: 'calibrate' }], /weights were calibrated.*original file/],
    [[{ ...good, operation: 'calibrate' }, good], /weights were calibrated/],
  ])('and the error says why', async (operations, fix) => {
    await expect(undo(record({ operations }))).rejects.toMatchObject({
      code: 'cannot-undo',
      what: 'the model has no undo record',
      where: 'model',
      fix: expect.stringMatching(fix),
    });
  });
});
