import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { parseNpy } from '../../src/data/npy.js';
import { unzip } from '../../src/data/npz.js';
import { casesOf } from '../support/heavy.js';
import { npy, raw } from '../support/numpy.js';

/** What a directory says of an entry, true or not. */
interface Claim {
  readonly name: string;
  readonly size: number;
  readonly originalSize: number;
  readonly offset?: number;
}

/** An archive of these bytes with a directory of these claims; `entries` is how many it says there are, in its zip64 form. */
function archive(body: Uint8Array, claims: readonly Claim[], entries = claims.length): Uint8Array {
  const pieces: Uint8Array[] = [body];
  let length = body.length;
  const put = (size: number, fill: (view: DataView) => void, ...rest: Uint8Array[]) => {
    const bytes = new Uint8Array(size);
    fill(new DataView(bytes.buffer));
    for (const piece of [bytes, ...rest]) {
      pieces.push(piece);
      length += piece.length;
    }
  };
  for (const { name, size, originalSize, offset = 0 } of claims) {
    const fill = (view: DataView) => {
      view.setUint32(0, 0x02014b50, true);
      view.setUint16(10, 8, true); // deflated
      view.setUint32(20, size, true);
      view.setUint32(24, originalSize, true);
      view.setUint16(28, name.length, true);
      view.setUint32(42, offset, true);
    };
    put(46, fill, new TextEncoder().encode(name));
  }
  const end = length;
  put(56, (view) => {
    view.setUint32(0, 0x06064b50, true);
    view.setUint32(32, entries, true);
    view.setUint32(48, body.length, true);
  });
  put(20, (view) => {
    view.setUint32(0, 0x07064b50, true);
    view.setUint32(8, end, true);
  });
  put(22, (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(8, Math.min(entries, 0xffff), true);
    view.setUint32(16, body.length, true);
  });
  return Uint8Array.from(Buffer.concat(pieces));
}

const ARRAY = npy('<f4', [2], raw(Float32Array.of(1, 2)));

test('a valid archive is read', async () => {
  const zip = zipSync({
    'x.npy': ARRAY,
    'readme.txt': new Uint8Array(9),
    'zeros.npy': npy('|u1', [1e6], new Uint8Array(1e6)),
  });
  const arrays = await unzip(zip, 'a.npz');
  expect([...arrays.keys()]).toEqual(['x', 'zeros']);
  expect(parseNpy(arrays.get('x') ?? new Uint8Array(0), 'x').data).toEqual(Float32Array.of(1, 2));
});

describe('a ZIP bomb is rejected before memory is allocated', () => {
  const MIB = 2 ** 20;
  test.each([
    [
      'an entry of 4 GB in a few bytes',
      () => archive(ARRAY, [{ name: 'x.npy', size: 40, originalSize: 0xfffffff0 }]),
      /'x\.npy' cannot be 4294967280 bytes long/,
    ],
    [
      'what deflate can do at its best',
      () => archive(new Uint8Array(2 * MIB), [{ name: 'x.npy', size: 2 * MIB, originalSize: 2000 * MIB }]),
      /more than 100 times its size/,
    ],
    [
      'entries that share what they unpack',
      () =>
        archive(
          new Uint8Array(MIB),
          Array.from({ length: 200 }, (_, at) => ({ name: `${at}.txt`, size: MIB - 100, originalSize: MIB })),
        ),
      /its entries overlap/,
    ],
    [
      'a directory of four billion entries',
      () => archive(ARRAY, [{ name: 'x.npy', size: 0, originalSize: 0 }], 0xffffffff),
      /./,
    ],
    [
      'a directory of long names, again and again',
      () => {
        const claims = Array.from({ length: 30 }, () => ({
          name: 'n'.repeat(60_000),
          size: 0,
          originalSize: 0,
        }));
        return archive(new Uint8Array(0), claims, 0xffffff);
      },
      /its entries overlap, or it is truncated/,
    ],
  ] as const)('%s', async (_, make, what) => {
    const bytes = make();
    const [from, before] = [process.cpuUsage(), process.memoryUsage()];
    await expect(unzip(bytes, 'bomb.npz')).rejects.toThrow(
      expect.objectContaining({ code: 'bad-data', where: 'bomb.npz', what: expect.stringMatching(what) }),
    );
    const { user, system } = process.cpuUsage(from);
    const after = process.memoryUsage();
    expect((user + system) / 1000).toBeLessThan(1000);
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(
      32 * MIB,
    );
  });
});

describe('each byte of an archive is checked', () => {
  const content = Uint8Array.from({ length: 3000 }, (_, at) => (at * at) % 251);
  const member = npy('|u1', [3000], content);

  test.each([
    ['deflated', 6],
    ['stored', 0],
  ] as const)('what is changed in it, %s, is an error or the same array', async (_, level) => {
    const zip = zipSync({ 'x.npy': member }, { level });
    await fc.assert(
      fc.asyncProperty(fc.nat(zip.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = zip.with(at, (zip[at] ?? 0) ^ flip);
        const found = await unzip(changed, 'a.npz').catch((error) => error);
        if (found instanceof Map) {
          expect([...found.values()]).toEqual([member]);
        } else expect(found).toMatchObject({ code: 'bad-data', where: 'a.npz' });
      }),
      { numRuns: casesOf(300), seed: 16 },
    );
  });

  test('a signal aborts unpacking', async () => {
    const zip = zipSync({ 'x.npy': new Uint8Array(2e7) }, { level: 1 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 10);
    await expect(unzip(zip, 'a.npz', controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('unusual archives are rejected', () => {
  const array = (descr: string, shape: readonly number[] = [1]) => npy(descr, shape, new Uint8Array(8));
  const header = (text: string) => {
    const bytes = npy('<f4', [2], new Uint8Array(8));
    return Buffer.concat([
      bytes.subarray(0, 10),
      Buffer.from(text.padEnd(bytes.length - 18)),
      new Uint8Array(8),
    ]);
  };
  test.each([
    ['pickled objects', array('|O'), /pickled Python objects, which are never loaded/],
    [
      'pickled objects in a structure',
      header("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}"),
      /records with fields/,
    ],
    ['big-endian numbers', array('>f8'), /it is big-endian/],
    ['complex numbers', array('<c8'), /'<c8' is not among bool/],
    ['dates', array('<M8[ns]'), /is not among bool/],
    ['text', array('<U2'), /is not among bool/],
    ['a negative dimension', array('<f8', [-1]), /not a valid shape/],
    ['two of them, whose product is right', array('<f4', [-2, -1]), /not a valid shape/],
    [
      'a dimension that is no number',
      header("{'descr': '<f8', 'fortran_order': False, 'shape': (1e, )}"),
      /not a valid shape/,
    ],
    ['2^62 elements', array('<f8', [2 ** 31, 2 ** 31]), /it has 8 bytes of data, but its shape needs/],
    ['too much data', array('<f4'), /it has 8 bytes of data, but its shape needs 4/],
    [
      'too little, in column-major order',
      npy('<f4', [2, 3], new Uint8Array(20), true),
      /it has 20 bytes of data, but its shape needs 24/,
    ],
    [
      'a header longer than the file',
      Uint8Array.from([...ARRAY.subarray(0, 8), 0xff, 0xff, ...ARRAY.subarray(10)]),
      /ends inside its header/,
    ],
    ['four bytes', ARRAY.subarray(0, 4), /not an \.npy array/],
  ])('%s', (_, bytes, what) => {
    expect(() => parseNpy(Uint8Array.from(bytes), 'x')).toThrow(
      expect.objectContaining({ code: 'bad-data', where: 'x', what: expect.stringMatching(what) }),
    );
  });

  test('an archive truncated at any byte', () => {
    for (let length = 0; length < ARRAY.length; length++) {
      expect(() => parseNpy(ARRAY.subarray(0, length), 'x'), `${length}`).toThrow(
        expect.objectContaining({ code: 'bad-data' }),
      );
    }
  });
});
