import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/model-file.js';
import { mish } from '../../src/mish/reference.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { cliProcess as cli } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { isHeavy } from '../support/heavy.js';
import { writeLargeModel } from '../support/large-model.js';
import { expectClose } from '../support/mish.js';
import { model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import { int, len } from '../support/wire.js';

// The quick versions of what `npm run bench:scale` measures.

const PEAK = fileURLToPath(new URL('../support/peak.js', import.meta.url));

/** Runs the command, and says what it took: seconds of CPU time, and MiB at the peak. */
async function measured(args: readonly string[], usage: string): Promise<{ cpu: number; peak: number }> {
  const options = { node: ['--import', PEAK], env: { USAGE_FILE: usage } };
  expect(await cli(args, options)).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(readFileSync(usage, 'utf8'));
}

test('a model from the generator of large models runs, and swaps correctly', async () => {
  const folder = await tempFolder();
  writeLargeModel(folder.at('m.onnx'), { nodes: 20, weights: 4096 });
  const bytes = await folder.read('m.onnx');
  const { output, report } = await swap(bytes);
  expect(report.sites).toHaveLength(2);
  const feeds = { x: f32([1, -1, 0.5, 2], [1, 4]) };
  const [before, after] = [await run(bytes, feeds), await run(await output.bytes(), feeds)];
  expect(before.y).toHaveLength(4);
  expect(after.y).not.toEqual(before.y);
});

const NODES = isHeavy ? 100_000 : 40_000;

test(`${NODES} nodes: 90 MiB and 600 bytes a node are enough, and time is in proportion`, async () => {
  const folder = await tempFolder();
  const time = async (nodes: number) => {
    writeLargeModel(folder.at('m.onnx'), { nodes });
    const args = ['swap', folder.at('m.onnx'), '-o', folder.at('out.onnx'), '--force'];
    const { cpu, peak } = await measured(args, folder.at('usage.json'));
    expect(peak).toBeLessThan(90 + (600 * nodes) / 2 ** 20);
    return cpu;
  };
  const start = await time(10);
  const [less, more] = [await time(NODES / 5), await time(NODES)];
  // Five times the nodes; squared it would be 25.
  expect((more - start) / (less - start)).toBeLessThan(10);
  const { graph } = await scan(await openModel(folder.at('out.onnx')));
  expect(graph.nodes).toHaveLength(1.2 * NODES);
});

describe('2 GiB, in a file with holes', () => {
  const LIMIT = 2 ** 31 - 1;

  test('gets a note when a swap passes it, and is swapped', { timeout: 120_000 }, async () => {
    const folder = await tempFolder();
    const path = folder.at('m.onnx');
    const probe = 2 ** 20;
    writeLargeModel(path, { nodes: 100, weights: probe });
    const rest = statSync(path).size - probe;
    for (const [size, noted] of [
      [LIMIT - 8000, false], // ten sites take less
      [LIMIT - 100, true],
      [LIMIT + 2 ** 20, true],
    ] as const) {
      writeLargeModel(path, { nodes: 100, weights: Math.floor((size - rest - 40) / 32) * 32 });
      expect(Math.abs(statSync(path).size - size)).toBeLessThan(100);
      const dry = await cli(['swap', path, '--dry-run']);
      expect(dry).toMatchObject({ code: 0, stderr: '' });
      expect(dry.stdout.includes('2 GiB')).toBe(noted);

      const file = await openModel(path);
      try {
        const { output, report } = await swap(file);
        expect(report.sites).toHaveLength(10);
        // Without the weights, which no piece of new bytes is in, it is small enough to look at as a whole.
        const written = await scan({
          name: 'written',
          size: output.size,
          read: (offset, length) => readPieces(output, offset, length),
        });
        expect(written.graph.nodes.filter(({ opType }) => opType === 'Softplus')).toHaveLength(10);
        expect(written.graph.initializers.size).toBe(22);
        expect(output.size).toBe(report.bytesOut);
      } finally {
        await file.close();
      }
    }
  });
});

/** Some bytes of a spliced file, without the rest. */
async function readPieces(
  { source, pieces }: Awaited<ReturnType<typeof swap>>['output'],
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    const size = piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
    const [from, to] = [Math.max(at, offset), Math.min(at + size, offset + length)];
    if (from < to) {
      const bytes =
        piece instanceof Uint8Array
          ? piece.subarray(from - at, to - at)
          : await source.read(piece.start + from - at, to - from);
      out.set(bytes, from - offset);
    }
    at += size;
  }
  return out;
}

describe('data with holes, in another folder', () => {
  /** Swaps a model whose one initializer is a file of that many bytes, with something at the marks; the copy of the file. */
  async function copied(size: number, marks: readonly number[]) {
    const folder = await tempFolder();
    const data = openSync(folder.at('m.data'), 'w');
    for (const at of marks) writeSync(data, Buffer.from('MARKS'), 0, 5, at);
    closeSync(data);
    truncateSync(folder.at('m.data'), size);
    const external = {
      name: 'w',
      dataType: 1,
      dims: [size / 4],
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'm.data' }],
    };
    await folder.write(
      'm.onnx',
      model({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'relu' })], initializers: [external] }),
    );
    await mkdir(folder.at('other'));
    const { code, stderr } = await cli(['swap', 'm.onnx', '-o', 'other/m.onnx'], { cwd: folder.path });
    // On a busy machine, a line of progress each ten seconds.
    expect({ code, stderr: stderr.replace(/^writing \d+ %\n/gm, '') }).toEqual({ code: 0, stderr: '' });
    return folder.at('other/m.data');
  }

  // Past 2 GiB, and the whole past 4 GiB as well: where a number of 32 bits ends.
  const size = isHeavy ? 1e10 : 2.2e9;

  test(`of ${size / 1e9} GB keeps its holes and its bytes`, { timeout: 240_000 }, async () => {
    const marks = [0, Math.floor(size / 2) + 234_567, size - 5];
    const copy = await copied(size, marks);
    expect(statSync(copy).size).toBe(size);
    expect(statSync(copy).blocks * 512).toBeLessThan(16 * 2 ** 20);
    const file = openSync(copy, 'r');
    for (const at of marks) {
      const found = Buffer.alloc(7);
      readSync(file, found, 0, 7, Math.max(0, at - 2));
      expect(found.toString('latin1')).toContain('MARKS');
    }
    closeSync(file);
  });

  test('keeps its length when it ends in a hole', async () => {
    expect(statSync(await copied(1e7, [0])).size).toBe(1e7);
  });
});

describe('graphs in graphs', () => {
  /** An If in an If in an If ..., each with a Relu before it: no writer of protobuf's nests 50, so by hand. */
  function nested(depth: number): Uint8Array {
    const relu = (x: string, y: string) => len(1, [...len(1, x), ...len(2, y), ...len(4, 'Relu')]);
    let body = [...relu(`r${depth - 1}`, `r${depth}`), ...len(12, len(1, `r${depth}`))];
    for (let at = depth - 1; at >= 0; at--) {
      const branch = (name: string, graph: number[]) =>
        len(5, [...len(1, name), ...len(6, [...len(2, 'body'), ...graph]), ...int(20, 5)]);
      const copy = [...len(1, [...len(1, `r${at}`), ...len(2, `c${at}`), ...len(4, 'Identity')])];
      const branches = [
        ...branch('then_branch', body),
        ...branch('else_branch', [...copy, ...len(12, len(1, `c${at}`))]),
      ];
      const choose = len(1, [...len(1, 'yes'), ...len(2, `o${at}`), ...len(4, 'If'), ...branches]);
      const before = at === 0 ? [] : relu(`r${at - 1}`, `r${at}`);
      body = [...before, ...choose, ...(at === 0 ? [] : len(12, len(1, `o${at}`)))];
    }
    const message = model({
      nodes: [],
      inputs: [value('r0', 1, [4]), value('yes', 9, [])],
      outputs: [value('o0', 1, [4])],
    });
    return Uint8Array.from([...message, ...len(7, body)]); // a second part of the graph, which merges with the first
  }

  test('30 deep are all swapped, and ONNX Runtime returns the nested Mish', async () => {
    const { output, report } = await swap(nested(30));
    expect(report.sites).toHaveLength(30);
    const x = [-1, 0.5, 1, 3];
    const feeds = { r0: f32(x), yes: { type: 'bool', dims: [], data: [1] } } as const;
    const outputs = await run(await output.bytes(), feeds);
    const exact = x.map((start) => Array.from({ length: 30 }).reduce<number>((at) => mish(at), start));
    expectClose(outputs.o0, exact);
  });

  test('50 deep are swapped, although protobuf’s readers stop at 33', async () => {
    const source = nested(50);
    const { output, report } = await swap(source);
    expect(report.sites).toHaveLength(50);
    const written = await scan(await output.bytes());
    expect(written.scopes).toHaveLength(101);
    expect(
      written.scopes.flatMap(({ nodes }) => nodes.filter(({ opType }) => opType === 'Softplus')),
    ).toHaveLength(50);
    await expect(run(source, { r0: f32([1, 1, 1, 1]) })).rejects.toThrow();
  });
});
