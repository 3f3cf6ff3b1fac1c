import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OnnxMishError } from '../../src/base/error.js';
import { inspect } from '../../src/mish/inspect.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { casesOf, isHeavy } from '../support/heavy.js';
import { model, node } from '../support/model.js';
import { int, len, varint } from '../support/wire.js';

const text = (value: string) => new TextEncoder().encode(value);
const ascii = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...text(part)] : part)));

describe('a file of another kind is recognised', () => {
  test.each([
    ['an empty file', new Uint8Array(0), /the file is empty/, /export or download/],
    [
      'an ORT model',
      ascii([0x20, 0, 0, 0], 'ORTM', Array(64).fill(0)),
      /ORT format/,
      /\.onnx file it was made from/,
    ],
    ['a TFLite model', ascii([0x1c, 0, 0, 0], 'TFL3', Array(64).fill(0)), /TensorFlow Lite/, /tf2onnx/],
    ['a zip archive', ascii('PK', [3, 4, 20, 0, 0, 0, 8, 0]), /zip archive/, /Unpack/],
    ['a gzip archive', ascii([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), /gzip/, /Unpack/],
    [
      'a Git LFS pointer',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'),
      /Git LFS pointer/,
      /git lfs pull/,
    ],
    ['JSON', text('{"format": "graph-model", "generatedBy": "2.0"}'), /JSON/, /\.onnx/],
    ['a JSON list', text('[1, 2, 3]'), /JSON/, /\.onnx/],
    ['text', text('ir_version: 8\ngraph { name: "g" }\n'), /text file/, /onnxtxt/],
    [
      'an HTML page',
      text('<!DOCTYPE html>\n<html><head><title>404</title></head></html>'),
      /HTML page/,
      /Download the file itself/,
    ],
    [
      'an HTML page without a doctype',
      text('\n  <html lang="en"><body>Sign in</body></html>'),
      /HTML page/,
      /Download/,
    ],
    ['an HDF5 file', ascii([0x89], 'HDF\r\n', [0x1a, 0x0a]), /HDF5/, /tf2onnx/],
    ['a pickle', ascii([0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc]), /pickle/, /torch\.onnx\.export/],
  ])('%s', async (_, bytes, what, fix) => {
    await expect(scan(bytes)).rejects.toThrow(
      expect.objectContaining({
        code: 'not-onnx',
        where: 'model',
        what: expect.stringMatching(what),
        fix: expect.stringMatching(fix),
      }),
    );
  });

  test('a model whose bytes look like something else is still a model', async () => {
    // A first field of number 10 with the value 'K' reads "PK": unknown, valid, and no zip archive.
    const bytes = new Uint8Array([...text('PK'), ...model({ nodes: [node('Relu', ['x'], ['y'])] })]);
    expect((await scan(bytes)).graph.nodes).toHaveLength(1);
  });
});

const FORMATS: readonly (readonly [name: RegExp, start: Uint8Array])[] = [
  [/PNG image/, ascii([0x89], 'PNG\r\n', [0x1a, 0x0a])],
  [/JPEG image/, Uint8Array.of(0xff, 0xd8, 0xff)],
  [/GIF image/, ascii('GIF89a')],
  [/GIF image/, ascii('GIF87a')],
  [/WebP image/, ascii('RIFF')],
  [/PDF document/, ascii('%PDF-1.7\n')],
  [/zip archive/, ascii('PK', [3, 4])],
  [/zip archive/, ascii('PK', [5, 6])],
  [/gzip archive/, Uint8Array.of(0x1f, 0x8b)],
  [/Zstandard archive/, Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)],
  [/xz archive/, ascii([0xfd], '7zXZ', [0])],
  [/bzip2 archive/, ascii('BZh9')],
  [/7-Zip archive/, ascii('7z', [0xbc, 0xaf, 0x27, 0x1c])],
  [/RAR archive/, ascii('Rar!', [0x1a, 7])],
  [/NumPy array/, ascii([0x93], 'NUMPY')],
  [/GGUF model/, ascii('GGUF')],
  [/HDF5 file/, ascii([0x89], 'HDF\r\n', [0x1a, 0x0a])],
  [/BMP image/, ascii('BM', [0x36, 0x30, 0, 0, 0, 0, 0, 0])],
  [/safetensors/, ascii([0x40, 2, 0, 0, 0, 0, 0, 0], '{"__metadata__":{}')],
  [/HTML page/, ascii('<!DOCTYPE html>\n')],
  [/HTML page/, ascii([0xef, 0xbb, 0xbf], '<!-- saved from a page -->\n<html>')],
  [/HTML page/, ascii('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "">')],
];

describe('files of other formats', () => {
  test.each(FORMATS)('of any length and content are named: %s', async (name, start) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 1000 }), async (tail) => {
        const whole = new Uint8Array([...start, ...tail]);
        const expected = expect.objectContaining({ code: 'not-onnx', what: expect.stringMatching(name) });
        await expect(inspect(whole)).rejects.toThrow(expected);
        await expect(swap(new Blob([whole]))).rejects.toThrow(expected);
      }),
      { numRuns: casesOf(30), seed: 7 },
    );
  });

  test.each(FORMATS)('that are cut in their first bytes are no ONNX models: %s', async (name, start) => {
    // What is cut to a byte may be text, and what begins like a model may be one.
    for (let length = 1; length < start.length; length++) {
      const error = await inspect(start.subarray(0, length)).catch((error: OnnxMishError) => error);
      const mayBeModel = /BMP|safetensors/.test(String(name)) && length > 1;
      if (!mayBeModel) expect(error).toMatchObject({ code: 'not-onnx' });
      if (length > 1 && !/BMP|safetensors|HTML/.test(String(name)))
        expect(error).toMatchObject({ what: expect.stringMatching(name) });
    }
  });

  test('are none where a model follows fields that look like them', async () => {
    const rest = model({ nodes: [node('Relu', ['x'], ['y'])] });
    const read: string[] = [];
    for (const [name, start] of FORMATS) {
      // Unknown fields are valid: padded to their end, some starts are a model’s.
      for (let padding = 0; padding < 128; padding++) {
        const bytes = new Uint8Array([...start, ...Array(padding).fill(1), ...rest]);
        const found = await scan(bytes).catch(() => undefined);
        if (found?.graph.nodes.length !== 1) continue;
        read.push(String(name));
        break;
      }
    }
    expect(read.map((name) => name.slice(1).split(' ')[0])).toEqual([
      'PNG',
      'WebP',
      'PDF',
      'Zstandard',
      'xz',
      'RAR',
      'HDF5',
    ]);
  });
});

const small = model({
  nodes: [
    node('LeakyRelu', ['x'], ['h'], { alpha: { f: 0.1 } }, { name: 'act' }),
    node('If', ['c'], ['y'], {
      then_branch: { graph: { node: [node('Relu', ['h'], ['t'])], name: 't', output: [{ name: 't' }] } },
      else_branch: { graph: { node: [node('Identity', ['h'], ['e'])], name: 'e', output: [{ name: 'e' }] } },
    }),
  ],
  functions: [
    {
      domain: 'l',
      name: 'F',
      input: ['a'],
      output: ['b'],
      node: [node('Relu', ['a'], ['b'])],
      opsetImport: [{ version: 18 }],
    },
  ],
});

/** The outcome of scanning and swapping: nothing but a model or one of our errors is one. */
async function outcome(bytes: Uint8Array): Promise<'model' | OnnxMishError> {
  try {
    const { output } = await swap(bytes, { form: 'exp' });
    await scan(await output.bytes());
    return 'model';
  } catch (error) {
    if (error instanceof OnnxMishError) return error;
    throw error;
  }
}

describe('a broken model gives an error or a model, and nothing else', () => {
  test('cut at any byte', async () => {
    let errors = 0;
    for (let length = 0; length < small.length; length++) {
      const result = await outcome(small.subarray(0, length));
      if (result === 'model') continue;
      errors++;
      expect(['malformed', 'not-onnx']).toContain(result.code);
      expect(result.where).toMatch(/^model/);
    }
    expect(errors).toBeGreaterThan(small.length * 0.9);
  });

  test('reports the position of the error', async () => {
    const result = await outcome(small.subarray(0, 40));
    expect(result).toMatchObject({
      code: 'malformed',
      what: expect.stringContaining('truncated'),
      where: expect.stringMatching(/^model, byte \d+, in /),
    });
  });

  test('with any byte changed', async () => {
    for (let at = 0; at < small.length; at++) {
      const values = [0, 1, 0x7f, 0x80, 0xff, (small[at] ?? 0) ^ 1, (small[at] ?? 0) ^ 0x10];
      for (const value of isHeavy ? values : values.slice(at % 7, (at % 7) + 1)) {
        const changed = small.slice();
        changed[at] = value;
        await outcome(changed);
      }
    }
  });

  test('with bytes inserted or removed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(small.length - 1),
        fc.nat(20),
        fc.uint8Array({ maxLength: 20 }),
        async (at, drop, put) => {
          await outcome(new Uint8Array([...small.subarray(0, at), ...put, ...small.subarray(at + drop)]));
        },
      ),
      { numRuns: casesOf(3000), seed: 5 },
    );
  });

  test('of random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await outcome(bytes)).toBeInstanceOf(OnnxMishError);
      }),
      { numRuns: casesOf(3000), seed: 6 },
    );
  });
});

describe('a hostile model ends in an error, at once', () => {
  const head = [...int(1, 8), ...len(8, int(2, 18))];

  test.each([
    ['a length of 2^34', [...head, ...varint(7 * 8 + 2), 0xff, 0xff, 0xff, 0xff, 0x7f], /a length of/],
    [
      'a length of more than five bytes',
      [...head, ...varint(7 * 8 + 2), ...Array(9).fill(0xff), 1],
      /longer than 5 bytes/,
    ],
    ['a number without an end', [...head, ...varint(8), ...Array(11).fill(0x80)], /longer than 10 bytes/],
    ['field number 0', [...head, 2, 0], /field number 0/],
    ['wire type 6', [...head, 14], /wire type 6/],
    ['a group that is never closed', [...head, ...varint(200 * 8 + 3)], /has no end/],
    [
      'a group closed by another',
      [...head, ...varint(200 * 8 + 3), ...varint(201 * 8 + 4)],
      /ends without a start/,
    ],
    ['a group end out of nowhere', [...head, ...varint(200 * 8 + 4)], /ends without a start/],
    [
      'groups 100,000 deep',
      [
        ...head,
        ...Array(100_000)
          .fill(varint(200 * 8 + 3))
          .flat(),
      ],
      /nested too deeply/,
    ],
  ])('%s', async (_, bytes, what) => {
    await expect(scan(Uint8Array.from(bytes))).rejects.toThrow(
      expect.objectContaining({ code: 'malformed', what: expect.stringMatching(what) }),
    );
  });

  test('graphs nested without end', async () => {
    let body: Uint8Array = Uint8Array.from(len(2, 'y'));
    // Built from the inside; the lengths around it grow with it.
    for (let depth = 0; depth < 300; depth++) {
      const attribute = Buffer.concat([Buffer.from(len(1, 'then_branch')), prefixed(6, body)]);
      body = prefixed(1, Buffer.concat([Buffer.from(len(4, 'If')), prefixed(5, attribute)]));
    }
    const bytes = Buffer.concat([Buffer.from(head), prefixed(7, body)]);
    await expect(scan(bytes)).rejects.toThrow(/nested more than 100 deep/);
  });

  test('types nested without end', async () => {
    let type: Uint8Array = Uint8Array.from(len(1, int(1, 1)));
    for (let depth = 0; depth < 5000; depth++) type = prefixed(4, prefixed(1, type)); // sequence of sequence of ...
    const input = Buffer.concat([Buffer.from(len(1, 'x')), prefixed(2, type)]);
    const bytes = Buffer.concat([Buffer.from(head), prefixed(7, prefixed(11, input))]);
    await expect(scan(bytes)).rejects.toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});

function prefixed(number: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(body.length)]), body]);
}
