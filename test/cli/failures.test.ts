// Every command with every output that cannot be written: one JSON document, one error, one exit code, and nothing left behind.
import { mkdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { classifiedArchive, classifier } from '../support/classified.js';
import { cli } from '../support/cli.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { swapped } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { LINUX_ONLY, needs } from '../support/needs.js';

const MODEL = classifier();
const SWAPPED = (await swapped(MODEL)).bytes;
const DATA = '--data s.npz';
const QUICK = `${DATA} --samples 16 --no-latency`;
const TRAIN = `${DATA} --labels y --epochs 1 --batch 16`;
const ONE = `${TRAIN} --activations relu --seeds 1 --no-landscape --jobs 1`;

/** Commands with each of their outputs, as OUT, and their results where those are files, too. */
const WRITING: readonly [line: string, result?: string][] = [
  ['swap m.onnx -o OUT'],
  [`swap m.onnx ${DATA} --keep sqnr>=1 -o OUT`],
  [`swap m.onnx ${DATA} --keep sqnr>=1 --report OUT`, 'm.mish.onnx'],
  [`swap m.onnx ${DATA} --keep sqnr>=1 --dry-run --report OUT`],
  ['retarget w.onnx --form exp -o OUT'],
  ['undo w.onnx -o OUT'],
  [`calibrate m.onnx ${DATA} --steps 0 -o OUT`],
  [`calibrate m.onnx ${DATA} --steps 0 --report OUT`, 'm.mish.onnx'],
  [`rank m.onnx ${DATA} --report OUT`],
  [`rank m.onnx ${DATA} --resume OUT`],
  [`inspect m.onnx ${DATA} --report OUT`],
  [`validate m.onnx w.onnx ${QUICK} --report OUT`],
  [`validate m.onnx w.onnx ${QUICK} --junit OUT`],
  ['report r.json --report OUT'],
  ['report r.json --junit OUT'],
  ['report r.json r.json --report OUT'],
  [`finetune m.onnx ${TRAIN} --no-calibrate --no-control -o OUT`],
  [`finetune m.onnx ${TRAIN} --no-calibrate --no-control --report OUT`, 'm.mish.onnx'],
  [`experiment m.onnx ${ONE} -o OUT`],
  [`experiment m.onnx ${ONE} --report OUT`, 'm.experiment.json'],
  ['ui --export OUT'],
];

/** Outputs that cannot be written. */
const OUTPUTS = ['/dev/full', 'folder', 'none/out', 'm.onnx', 'm.onnx/out', '/proc/out', '', '-'];

async function workplace(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', MODEL);
  await folder.write('w.onnx', SWAPPED);
  await folder.write('s.npz', classifiedArchive(64));
  await mkdir(folder.at('folder'));
  await folder.write('folder/file', 'old');
  return folder;
}

let known: Promise<string> | undefined;
const report = () => {
  known ??= workplace().then(async ({ path: cwd }) => {
    return (await cli(`validate m.onnx w.onnx ${QUICK} --json`.split(' '), { cwd })).stdout;
  });
  return known;
};

/** `ui --export` makes its folder. */
const isMade = (line: string, output: string) => line.startsWith('ui') && output === 'none/out';
const cases = WRITING.flatMap(([line, result]) =>
  OUTPUTS.filter((output) => !isMade(line, output)).map((output) => [line, output, result] as const),
);

describe('what cannot be written', () => {
  needs(process.platform === 'linux', LINUX_ONLY);

  test.each(everyNth(3, cases))('%s: %j', async (line, output, result) => {
    const folder = await workplace();
    await folder.write('r.json', await report());
    const before = await folder.list();
    const args = line.split(' ').map((word) => (word === 'OUT' ? output : word));
    const { code, stdout, stderr } = await cli([...args, '--json'], { cwd: folder.path });
    const left = (await folder.list()).filter((name) => name !== result);
    expect(left, stderr).toEqual(before);
    expect(new TextDecoder().decode(await folder.read('folder/file'))).toBe('old');
    expect(await folder.read('m.onnx')).toEqual(MODEL);
    expect(stderr).not.toMatch(/^ +at |defect/m);
    if (code === 0) return expect(output).toBe('-');
    expect(code, stderr).toBe(2);
    expect(stderr.match(/^onnx-mish: /gm)).toHaveLength(1);
    const document = JSON.parse(stdout);
    if (result !== undefined && output === '/dev/full') return expect(document).not.toHaveProperty('error');
    if (document.error === undefined) return expect(stderr).toContain(output);
    const { code: kind, what, fix, option } = document.error;
    expect(['io', 'bad-usage', 'bad-data']).toContain(kind);
    for (const text of [what, fix]) expect(text).toMatch(/\w/);
    expect(option).not.toEqual({});
  });
});
