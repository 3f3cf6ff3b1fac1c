// Every call into the file system fails once, and for good, in every way: the input stays, the output is the old one or the new
// one, nothing else is left, and the message says what to do. What runs is the real file system, but for the call that fails.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { OnnxMishError, sentences } from '../../src/base/error.js';
import { withCopyBeside } from '../../src/files/edited-copy.js';
import { writeText } from '../../src/files/write-model.js';
import { swapDocument } from '../../src/mish/swap.js';
import { retargetFile, swapFile, undoFile } from '../../src/node/index.js';
import { scan } from '../../src/onnx/scan.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { type Call, ERRORS, type Fault, PARTIAL, type Trip, withFaults } from '../support/faults.js';
import { type Folder, folderAt, tempFolder } from '../support/folder.js';
import { reluModel, swapped } from '../support/graph.js';
import { isHeavy } from '../support/heavy.js';
import { floats } from '../support/model.js';

interface Scenario {
  /** What is there beforehand, by path. Files of `outputs` among them are the old ones; the rest has to stay as it is. */
  readonly before: Readonly<Record<string, Uint8Array | string>>;
  /** The files that it writes. */
  readonly outputs: readonly string[];
  readonly run: (folder: Folder) => Promise<unknown>;
  /** Calls that always fail, on a file system that lacks something. */
  readonly lacks?: readonly string[];
  /** Only these calls are made to fail, and only so, where the others are another scenario's. */
  readonly only?: { readonly calls: RegExp; readonly errors: readonly Fault[] };
  /** The file system clones files. */
  readonly clones?: boolean;
}

const MODEL = reluModel();
const SWAPPED = (await swapped(MODEL)).bytes;
/** Read in blocks, and written in several. */
const LARGE = reluModel({
  initializers: [{ name: 'w', dataType: 1, dims: [2_200_000], rawData: new Uint8Array(8_800_000) }],
});
const EXTERNAL = { 'in/m.onnx': externalModel('w/d/m.bin'), 'in/w/d/m.bin': BIAS_BYTES };
const MOVED = ['out/m.onnx', 'out/w/d/m.bin'];
const OLD = { 'out/m.onnx': 'old model', 'out/w/d/m.bin': 'old data' };
const move = (folder: Folder, force: boolean) =>
  swapFile(folder.at('in/m.onnx'), { output: folder.at('out/m.onnx'), force });
const FOLDED = reluModel({ initializers: [floats('w', [4], [1, 2, 3, 4])] });

const SCENARIOS: Record<string, Scenario> = {
  'swap to a new file': {
    before: { 'm.onnx': MODEL },
    outputs: ['m.mish.onnx'],
    run: (folder) => swapFile(folder.at('m.onnx')),
  },
  'swap to a new file, without hard links': {
    before: { 'm.onnx': MODEL },
    outputs: ['m.mish.onnx'],
    run: (folder) => swapFile(folder.at('m.onnx')),
    lacks: ['link'],
  },
  'swap over a file': {
    before: { 'm.onnx': MODEL, 'out.onnx': 'old' },
    outputs: ['out.onnx'],
    run: (folder) => swapFile(folder.at('m.onnx'), { output: folder.at('out.onnx'), force: true }),
  },
  'swap in place': {
    before: { 'm.onnx': MODEL },
    outputs: ['m.onnx'],
    run: (folder) => swapFile(folder.at('m.onnx'), { output: folder.at('m.onnx'), force: true }),
  },
  'swap of a large model': {
    before: { 'm.onnx': LARGE, 'out.onnx': 'old' },
    outputs: ['out.onnx'],
    only: { calls: /^handle\.(read|write|writev|sync)$/, errors: ['ENOSPC', 'EIO'] },
    run: (folder) => swapFile(folder.at('m.onnx'), { output: folder.at('out.onnx'), force: true }),
  },
  'swap that folds': {
    before: { 'm.onnx': FOLDED },
    outputs: ['m.mish.onnx'],
    run: (folder) => swapFile(folder.at('m.onnx'), { beta: 2, fold: true }),
  },
  retarget: {
    before: { 'm.onnx': SWAPPED },
    outputs: ['m.exp.onnx'],
    run: (folder) => retargetFile(folder.at('m.onnx'), { form: 'exp' }),
  },
  undo: {
    before: { 'm.onnx': SWAPPED },
    outputs: ['m.undone.onnx'],
    run: (folder) => undoFile(folder.at('m.onnx')),
  },
  'external data to another folder': {
    before: { ...EXTERNAL, 'out/': '' },
    outputs: MOVED,
    run: (folder) => move(folder, false),
  },
  'external data to another folder, as clones': {
    before: { ...EXTERNAL, 'out/': '' },
    outputs: MOVED,
    run: (folder) => move(folder, false),
    clones: true,
  },
  'external data to another folder, without hard links': {
    before: { ...EXTERNAL, 'out/': '' },
    outputs: MOVED,
    run: (folder) => move(folder, false),
    lacks: ['link'],
  },
  'external data over other data': {
    before: { ...EXTERNAL, ...OLD },
    outputs: MOVED,
    run: (folder) => move(folder, true),
  },
  'external data over other data, without hard links': {
    before: { ...EXTERNAL, ...OLD },
    outputs: MOVED,
    run: (folder) => move(folder, true),
    lacks: ['link'],
  },
  'a report': {
    before: {},
    outputs: ['run.html'],
    run: (folder) => writeText(folder.at('run.html'), 'new', false),
  },
  'a report over another': {
    before: { 'run.html': 'old' },
    outputs: ['run.html'],
    run: (folder) => writeText(folder.at('run.html'), 'new', true),
  },
  'a model tried out beside its data': {
    before: EXTERNAL,
    outputs: [],
    async run(folder) {
      const { output } = await swapDocument(await scan(EXTERNAL['in/m.onnx']));
      await withCopyBeside(folder.at('in/m.onnx'))(output, async (model) => {
        expect(typeof model).toBe('string');
      });
    },
  },
};

/** What a disk in each state no longer does. */
const REFUSES: Partial<Record<Fault, (call: Call) => boolean>> = {
  EIO: () => true,
  ENOSPC: ({ kind, path }) =>
    /^(mkdir|link|copyFile|handle\.(write|writev|sync|datasync))$/.test(kind) || opensToWrite(kind, path),
  EROFS: (call) => changes(call),
  EMFILE: ({ kind }) => kind === 'open' || kind === 'readdir',
};
const changes = ({ kind, path }: Call) =>
  /^(mkdir|rmdir|rm|rename|link|copyFile)$/.test(kind) || opensToWrite(kind, path);
const opensToWrite = (kind: string, path: string) => kind === 'open' && path.endsWith('.tmp');

const ADVICE: Partial<Record<Fault, RegExp>> = {
  ENOSPC: /^Free some space|^Move the model and its data/,
  EIO: /^Check the disk|^Move the model and its data/,
  EROFS: /^Choose another path|^Move the model and its data/,
  EACCES: /^Check the permissions of the path|^Move the model and its data/,
  EMFILE: /^Raise the limit, for example with `ulimit -n|^Move the model and its data/,
};

/** Thousands of flushes go to memory where the system has a disk there. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : undefined;

let faults = 0;
afterAll(() => console.log(`${faults} faults survived`));

/** Runs a scenario with faults in a fresh folder, and holds its end against what has to be so. */
async function survive(
  name: string,
  scenario: Scenario,
  base: Folder,
  fault: Trip,
  { lasting = false, whole }: { lasting?: boolean; whole?: ReadonlyMap<string, Uint8Array | undefined> } = {},
): Promise<{ calls: Call[]; after: ReadonlyMap<string, Uint8Array | undefined> }> {
  const { before, outputs, run, lacks = [], clones = false } = scenario;
  const folder = lay(base, before);
  const expected = contents(folder.path);
  let error: unknown;
  let tripped: Fault | undefined;
  let which = '';
  const trip: Trip = (call, index) => {
    if (lacks.includes(call.kind)) return 'EPERM';
    const found = fault(call, index);
    if (found !== undefined && tripped === undefined) which = `${index} ${call.kind} ${call.path}`;
    tripped ??= found;
    return found;
  };
  const calls = await withFaults(
    folder.path,
    trip,
    async () => {
      await run(folder).catch((thrown: unknown) => {
        error = thrown;
      });
    },
    { clones },
  );
  if (tripped !== undefined) faults++;
  const at = `${name}: ${tripped} at ${which}`;
  const now = contents(folder.path);
  const advice = error instanceof OnnxMishError ? sentences(error.fix, error.outcome) : '';

  if (error !== undefined) {
    expect(tripped, at).toBeDefined();
    expect(error, at).toBeInstanceOf(OnnxMishError);
    expect(error, at).toMatchObject({ code: 'io', where: expect.stringContaining(folder.path) });
    const { cause } = error as OnnxMishError;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    expect(advice, at).toMatch(ADVICE[code as Fault] ?? /./);
  }
  // Where the disk gives nothing back any more the message says what is where.
  const excused = (path: string) => advice.includes(path);
  const hasOld = outputs.every((path) => same(now.get(path), expected.get(path)) || excused(folder.at(path)));
  if (error === undefined) {
    for (const path of outputs) {
      if (whole === undefined) expect(now.get(path)?.length, at).toBeGreaterThan(0);
      else expect(same(now.get(path), whole.get(path)), `${at}: ${path} is whole`).toBe(true);
    }
  } else {
    expect(hasOld, at).toBe(true);
    if (/nothing was left behind/i.test(advice))
      expect([...now.keys()].sort(), at).toEqual([...expected.keys()].sort());
  }
  for (const [path, bytes] of expected) {
    if (!outputs.includes(path)) expect(same(now.get(path), bytes), `${at}: ${path}`).toBe(true);
  }
  for (const path of now.keys()) {
    if (expected.has(path) || outputs.includes(path) || excused(folder.at(path).replace(/\/$/, ''))) continue;
    const isFolderOfOutput = outputs.some((output) => error === undefined && output.startsWith(path));
    // All is done, and the disk does not even let go of what is not needed any more.
    const isStuck = error === undefined && lasting && /\.(old|tmp)$/.test(path);
    expect(isFolderOfOutput || isStuck, `${at} left ${path}`).toBe(true);
  }
  expect(openFiles(folder.path), at).toEqual([]);
  rmSync(folder.path, { recursive: true });
  return { calls, after: now };
}

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;

let folders = 0;

/** A folder with these files in it. What is not under test here does not wait for its turn in Node's pool of threads. */
function lay(base: Folder, files: Scenario['before']): Folder {
  const root = base.at(`run-${folders++}`);
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, content);
  }
  return folderAt(root);
}

/** Everything in a folder; nothing for the content of a folder in it. */
function contents(folder: string, prefix = ''): Map<string, Uint8Array | undefined> {
  const found = new Map<string, Uint8Array | undefined>();
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const name = prefix + entry.name;
    if (!entry.isDirectory()) found.set(name, readFileSync(join(folder, name)));
    else
      for (const [below, bytes] of contents(folder, `${name}/`).set(`${name}/`, undefined))
        found.set(below, bytes);
  }
  return found;
}

/** What of a folder this process has open. Linux only. */
function openFiles(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the one that was read
    }
  });
  return links.filter((path) => path.startsWith(folder));
}

/** Every twelfth of what may go wrong, another twelfth at the next call; all of it by `npm run test:heavy`. */
function everyTwelfth<T>(faults: readonly T[], call: number): readonly T[] {
  return isHeavy ? faults : faults.filter((_, index) => (index + call) % 12 === 0);
}

test.each(Object.entries(SCENARIOS))('%s', { timeout: 300_000 }, async (name, scenario) => {
  const base = await tempFolder(MEMORY);
  const { calls, after: whole } = await survive(name, scenario, base, () => undefined);
  const tripped = (trip: Trip, lasting = false) => survive(name, scenario, base, trip, { lasting, whole });
  expect(calls.length).toBeGreaterThan(4);
  for (let k = 0; k < calls.length; k++) {
    if (scenario.only?.calls.test(calls[k]?.kind ?? '') === false) continue;
    for (const error of everyTwelfth(scenario.only?.errors ?? ERRORS, k)) {
      await tripped((_, index) => (index === k ? error : undefined));
      // From here on the disk is full, broken, read-only, forbidden, or the process out of file numbers.
      const refuses = REFUSES[error];
      if (!refuses?.(calls[k] ?? { kind: '', path: '' })) continue;
      const after: Trip = (call, index) => (index >= k && refuses(call) ? error : undefined);
      await tripped(after, true);
    }
    if (!PARTIAL.has(calls[k]?.kind ?? '')) continue;
    const parts = [
      ['short', undefined],
      ['nothing', undefined],
      ['short', 'ENOSPC'], // the rest of a short write does not fit
    ] as const;
    for (const [part, then] of everyTwelfth(parts, k)) {
      await tripped((_, index) => (index === k ? part : index === k + 1 ? then : undefined));
    }
  }
});
