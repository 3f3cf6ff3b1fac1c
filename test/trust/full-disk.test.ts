// A real disk, filled to the last block, then with one block left, and so on until everything fits.
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { writeText } from '../../src/files/write-model.js';
import { swapFile, undoFile } from '../../src/node/index.js';
import { cliProcess as cli, MAIN, outcome } from '../support/cli.js';
import { externalModel } from '../support/external.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { reluModel, swapped } from '../support/graph.js';
import { NO_MOUNT, type SmallDisk, smallDisk } from '../support/small-disk.js';

const FULL = { code: 'io', what: 'the disk is full', fix: expect.stringContaining('Free some space') };

/** 80 kB of model. */
const MODEL = reluModel({
  initializers: [{ name: 'w', dataType: 1, dims: [20_000], rawData: new Uint8Array(80_000).fill(3) }],
});
const SWAPPED = (await swapped(MODEL)).bytes;
const DATA = new Uint8Array(50_000).fill(5);

interface Case {
  /** Files that are on the disk beforehand, and what they are afterwards. */
  readonly old: Readonly<Record<string, Uint8Array>>;
  readonly new: Readonly<Record<string, Uint8Array>>;
  readonly run: (folder: Folder, disk: SmallDisk) => Promise<unknown>;
}

const old = new Uint8Array(9000).fill(1);
const [EXTERNAL, EXTERNAL_SWAPPED] = await (async () => {
  const bytes = externalModel('w/m.bin');
  return [bytes, (await swapped(bytes)).bytes] as const;
})();

const CASES: Record<string, Case> = {
  'a new file': {
    old: {},
    new: { 'out.onnx': SWAPPED },
    run: (folder, disk) => swapFile(folder.at('m.onnx'), { output: disk.at('out.onnx') }),
  },
  'over an old file': {
    old: { 'out.onnx': old },
    new: { 'out.onnx': SWAPPED },
    run: (folder, disk) => swapFile(folder.at('m.onnx'), { output: disk.at('out.onnx'), force: true }),
  },
  'in place': {
    old: { 'm.onnx': MODEL },
    new: { 'm.onnx': SWAPPED },
    run: (_, disk) => swapFile(disk.at('m.onnx'), { output: disk.at('m.onnx'), force: true }),
  },
  undo: {
    old: { 'm.onnx': SWAPPED },
    new: { 'm.onnx': SWAPPED, 'm.undone.onnx': MODEL },
    run: (_, disk) => undoFile(disk.at('m.onnx')),
  },
  'a model and its data': {
    old: {},
    new: { 'out.onnx': EXTERNAL_SWAPPED, 'w/m.bin': DATA },
    run: (folder, disk) => swapFile(folder.at('e.onnx'), { output: disk.at('out.onnx') }),
  },
  'a model and its data over others': {
    old: { 'out.onnx': old, 'w/m.bin': old },
    new: { 'out.onnx': EXTERNAL_SWAPPED, 'w/m.bin': DATA },
    run: (folder, disk) => swapFile(folder.at('e.onnx'), { output: disk.at('out.onnx'), force: true }),
  },
  'a report': {
    old: { 'run.html': old },
    new: { 'run.html': DATA },
    run: (_, disk) => writeText(disk.at('run.html'), new TextDecoder().decode(DATA), true),
  },
};

async function inputs(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  await folder.write('e.onnx', EXTERNAL);
  await mkdir(folder.at('w'));
  await folder.write('w/m.bin', DATA);
  return folder;
}

async function expectFiles(disk: Folder, files: Case['old'], message: string) {
  const there = (await disk.list()).filter((name) => !/\/$|^ballast$|^disk\//.test(name));
  expect(there, message).toEqual(Object.keys(files).sort());
  for (const [name, bytes] of Object.entries(files)) {
    expect(Buffer.compare(await disk.read(name), bytes), `${message}: ${name}`).toBe(0);
  }
}

test.for(Object.entries(CASES))('%s', async ([name, one], context) => {
  const folder = await inputs();
  const disk = await smallDisk(folder, 'size=1m');
  if (disk === undefined) return context.skip(NO_MOUNT);
  let failures = 0;
  for (let blocks = 0; ; blocks++) {
    await rm(disk.at('ballast'), { force: true });
    await rm(disk.at('w'), { recursive: true, force: true });
    for (const file of await disk.list()) await rm(disk.at(file), { force: true, recursive: true });
    for (const [path, bytes] of Object.entries(one.old)) {
      if (path.startsWith('w/')) await mkdir(disk.at('w'), { recursive: true });
      await disk.write(path, bytes);
    }
    await disk.leave(blocks);
    expect((await statfs(disk.path)).bavail).toBe(blocks);
    const error = await one.run(folder, disk).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) {
      await expectFiles(disk, one.new, `${name}, ${blocks} blocks`);
      break;
    }
    failures++;
    expect(error, `${blocks} blocks`).toMatchObject(FULL);
    await expectFiles(disk, one.old, `${name}, ${blocks} blocks`);
  }
  expect(failures).toBeGreaterThan(10);
  await expectFiles(folder, { 'm.onnx': MODEL, 'e.onnx': EXTERNAL, 'w/m.bin': DATA }, 'input');
});

test('a disk without room for one more name', async (context) => {
  const folder = await inputs();
  const disk = await smallDisk(folder, 'size=1m,nr_inodes=16');
  if (disk === undefined) return context.skip(NO_MOUNT);
  // From none left to enough, for a model, its data and a folder.
  const { ffree } = await statfs(disk.path);
  for (let names = 0; names < ffree; names++) await disk.write(`taken-${names}`, '');
  for (let free = 0; ; free++) {
    const error = await swapFile(folder.at('e.onnx'), { output: disk.at('out.onnx') }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const there = (await disk.list()).filter((name) => !name.startsWith('taken'));
    if (error === undefined) {
      expect(free).toBeGreaterThan(2);
      expect(there).toEqual(['out.onnx', 'w/', 'w/m.bin']);
      break;
    }
    expect(error, `${free} free`).toMatchObject(FULL);
    expect(there).toEqual([]);
    await rm(disk.at(`taken-${free}`));
  }
});

// Node's own stream to a file drops the rest of a write that fits in part.
test.for(['swap m.onnx -o -', 'swap m.onnx --dry-run --json', 'inspect m.onnx', '--help'])(
  'standard output to a full disk: %s',
  async (args, context) => {
    const folder = await inputs();
    const disk = await smallDisk(folder, 'size=1m');
    if (disk === undefined) return context.skip(NO_MOUNT);
    const whole = (await cli(args.split(' '), { cwd: folder.path })).bytes;
    const needed = Math.ceil(whole.length / disk.blockSize);
    for (const blocks of [0, needed - 1, needed]) {
      await rm(disk.at('stdout'), { force: true });
      await disk.leave(blocks);
      const line = `exec '${process.execPath}' '${MAIN}' ${args} > disk/stdout`;
      const { code, stderr } = await outcome(spawn('sh', ['-c', line], { cwd: folder.path }));
      if (blocks < needed) {
        expect(stderr, `${blocks} blocks`).toMatch(
          /onnx-mish: standard output: the disk is full\n {2}Free some space/,
        );
        expect(code).toBe(2);
        expect(stderr).not.toContain('    at ');
      } else {
        expect(code).toBe(0);
        expect(await disk.read('stdout')).toEqual(whole);
      }
    }
  },
);

test('a disk that has turned read-only keeps the old file', async (context) => {
  const folder = await inputs();
  const disk = await smallDisk(folder, 'size=1m');
  if (disk === undefined) return context.skip(NO_MOUNT);
  await disk.write('out.onnx', old);
  execFileSync('mount', ['-o', 'remount,ro', disk.path]);
  const { code, stderr } = await cli(['swap', 'm.onnx', '-o', 'disk/out.onnx', '--force'], {
    cwd: folder.path,
  });
  expect([code, stderr]).toEqual([
    2,
    'onnx-mish: disk/out.onnx: the file system is read-only\n  Choose another path (-o).\n',
  ]);
  await expectFiles(disk, { 'out.onnx': old }, 'read-only');
});
