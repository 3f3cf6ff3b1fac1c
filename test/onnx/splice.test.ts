import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { undo } from '../../src/mish/history.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { toSource } from '../../src/onnx/source.js';
import { replace, splice } from '../../src/onnx/splice.js';
import { arbitraryModel } from '../support/arbitrary-model.js';
import { checkSplice } from '../support/check-splice.js';
import { casesOf } from '../support/heavy.js';
import { withoutDigest } from '../support/record.js';
import { parse } from '../support/wire.js';

const options = { numRuns: casesOf(300), seed: 20261123 };

describe('any model, however oddly encoded', () => {
  test('without edits comes out byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const output = await splice((await scan(bytes)).source, []).bytes();
        expect(Buffer.compare(output, bytes)).toBe(0);
      }),
      options,
    );
  });

  test.each(['softplus', 'exp', 'native'] as const)(
    'in the %s form keeps every other byte, in order',
    async (form) => {
      await fc.assert(
        fc.asyncProperty(arbitraryModel, async ({ bytes, sites }) => {
          const { output, report } = await swap(bytes, { form });
          expect(report.sites).toHaveLength(sites);
          const written = await output.bytes();
          expect(written).toHaveLength(output.size);
          if (sites === 0) expect(Buffer.compare(written, bytes)).toBe(0);
          else checkSplice(bytes, written, sites);
        }),
        options,
      );
    },
  );

  test('is restored by undo, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryModel,
        fc.constantFrom('softplus' as const, 'exp' as const),
        async (model, form) => {
          fc.pre(model.sites > 0);
          const { output } = await swap(model.bytes, { form });
          const restored = await undo(await output.bytes());
          expect(Buffer.compare(await restored.bytes(), model.bytes)).toBe(0);
        },
      ),
      options,
    );
  });

  test('changes no more when swapped again', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const once = await (await swap(bytes)).output.bytes();
        const twice = await (await swap(once)).output.bytes();
        expect(Buffer.compare(twice, once)).toBe(0);
      }),
      { ...options, numRuns: casesOf(100) },
    );
  });

  test('gives the same bytes every time, from bytes and from a Blob', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const first = await (await swap(bytes, { form: 'exp' })).output.bytes();
        const { output } = await swap(new Blob([bytes as Uint8Array<ArrayBuffer>]), { form: 'exp' });
        // The weights in a Blob are not read, so its record has no digest.
        const fromBlob = await output.bytes();
        const isSwapped = first.length !== bytes.length;
        const plain = isSwapped ? withoutDigest : Buffer.from;
        expect(Buffer.compare(plain(first), plain(fromBlob))).toBe(0);
        expect(Buffer.compare(fromBlob, new Uint8Array(await (await output.blob()).arrayBuffer()))).toBe(0);
      }),
      { ...options, numRuns: casesOf(100) },
    );
  });
});

describe('replace', () => {
  const source = toSource(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  const edit = (start: number, end: number, ...bytes: number[]) => ({
    start,
    end,
    bytes: Uint8Array.from(bytes),
  });

  test('replaces, inserts and removes in any order given', async () => {
    const out = await replace(source, [
      edit(8, 9),
      edit(2, 4, 20, 30, 40),
      edit(2, 2, 99),
      edit(10, 10, 100),
    ]).bytes();
    expect([...out]).toEqual([0, 1, 99, 20, 30, 40, 4, 5, 6, 7, 9, 100]);
  });

  test.each([[[edit(2, 5), edit(4, 6)]], [[edit(5, 4)]], [[edit(8, 11)]], [[edit(-1, 2)]]])(
    'refuses edits that overlap or leave the file',
    (edits) => {
      expect(() => replace(source, edits)).toThrow(expect.objectContaining({ code: 'bad-usage' }));
    },
  );

  test('says which byte, and of which file', () => {
    const named = toSource(new Uint8Array(4), 'a.onnx');
    expect(() => replace(named, [edit(1, 9)])).toThrow(
      expect.objectContaining({ what: 'edits overlap or leave the file at byte 1', where: 'a.onnx' }),
    );
  });

  test('as a Blob shares the parts of a Blob, and copies what is none', async () => {
    const blob = new Blob([Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)]);
    const sliced: [number?, number?][] = [];
    const slice = blob.slice.bind(blob);
    Object.assign(blob, {
      slice: (...range: [number?, number?]) => {
        sliced.push(range);
        return slice(...range);
      },
    });
    const edits = [edit(8, 9), edit(2, 4, 20, 30, 40)];
    const wanted = [0, 1, 20, 30, 40, 4, 5, 6, 7, 9];
    for (const from of [toSource(blob), source]) {
      const out = await replace(from, edits).blob();
      expect([...new Uint8Array(await out.arrayBuffer())]).toEqual(wanted);
    }
    expect(sliced).toEqual([
      [0, 2],
      [4, 8],
      [9, 10],
    ]);
  });

  test('has no empty piece, and the size that it will have', async () => {
    for (const edits of [
      [],
      [edit(0, 10, 1)],
      [edit(0, 0), edit(10, 10)],
      [edit(9, 10)],
      [edit(0, 5), edit(5, 10, 7)],
    ]) {
      const out = replace(source, edits);
      for (const piece of out.pieces)
        expect(piece instanceof Uint8Array ? piece.length : piece.end - piece.start).toBeGreaterThan(0);
      expect(await out.bytes()).toHaveLength(out.size);
    }
  });

  test('keeps lengths right when they grow by a byte, at every level', async () => {
    // One site in a graph of just under 128 bytes: its length prefix, and those around it, become longer.
    for (let pad = 0; pad < 140; pad++) {
      const relu = new onnx.NodeProto({
        opType: 'Relu',
        input: ['x'],
        output: ['y'],
        docString: 'd'.repeat(pad),
      });
      const graph = { node: [relu], name: 'g', output: [{ name: 'y' }] };
      const branch = { name: 'then_branch', type: 5, g: graph };
      const outer = { node: [{ opType: 'If', input: ['c'], output: ['y'], attribute: [branch] }], name: 'o' };
      const bytes = onnx.ModelProto.encode({
        irVersion: 8,
        opsetImport: [{ version: 18 }],
        graph: outer,
      }).finish();
      const written = await (await swap(bytes)).output.bytes();
      checkSplice(bytes, written, 1);
      expect(parse(written).find(({ number }) => number === 7)?.body.length).toBeGreaterThan(100);
      expect(Buffer.compare(await (await undo(written)).bytes(), bytes)).toBe(0);
    }
  });
});

test('a Blob of a Blob is made without reading it', async () => {
  const { arrayBuffer } = Blob.prototype;
  let reads = 0;
  Blob.prototype.arrayBuffer = function () {
    reads++;
    return arrayBuffer.call(this);
  };
  try {
    const source = toSource(new Blob([new Uint8Array(100)]));
    const out = await replace(source, [{ start: 5, end: 6, bytes: Uint8Array.of(1, 2) }]).blob();
    expect([reads, out.size]).toEqual([0, 101]);
  } finally {
    Blob.prototype.arrayBuffer = arrayBuffer;
  }
});
