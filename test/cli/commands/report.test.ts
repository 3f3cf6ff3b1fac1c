import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { validateFiles } from '../../../src/node/validate-files.js';
import { cli, cliJson } from '../../support/cli.js';
import { EXPERIMENT_REPORT } from '../../support/experiment-report.js';
import { FINETUNE_REPORT } from '../../support/finetune-report.js';
import { tempFolder } from '../../support/folder.js';
import { REAL_MODELS } from '../../support/models.js';
import { hostileReport, richReport } from '../../support/reports.js';

const real = await validateFiles(REAL_MODELS.alexa, REAL_MODELS.alexa, {
  runs: 1,
  latency: { minPairs: 5, minSeconds: 0 },
});
const rich = richReport(real);

async function withReports() {
  const folder = await tempFolder();
  await folder.write('a.json', JSON.stringify(real));
  await folder.write('b.json', JSON.stringify(rich));
  return { ...folder, cwd: folder.path };
}

test('shows a stored report as a table and as JSON, whether it passed or failed', async () => {
  const { cwd } = await withReports();
  const { code, stdout, stderr } = await cli(['report', 'b.json'], { cwd });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^webgl +FAIL /m);
  const piped = await cli(['report', '-'], { cwd, input: JSON.stringify(rich) });
  expect(piped.stdout).toBe(stdout);
  expect((await cliJson(['report', 'b.json'], { cwd })).json).toEqual(rich);
});

test('writes HTML and JUnit XML, and overwrites only with --force', async () => {
  const { cwd, at, list } = await withReports();
  const args = ['report', 'b.json', '--html', 'r.html', '--junit', 'r.xml'];
  const { code, stdout, stderr } = await cli(args, { cwd });
  expect([code, stdout, stderr]).toEqual([0, 'b.json → r.html\nb.json → r.xml\n', '']);
  expect(await readFile(at('r.html'), 'utf8')).toMatch(/^<!doctype html>/);
  expect(await readFile(at('r.xml'), 'utf8')).toMatch(
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites /,
  );
  const again = await cli(args, { cwd });
  expect([again.code, again.stdout]).toEqual([2, '']);
  expect(again.stderr).toBe(
    'onnx-mish: r.html: the file exists already\n  Choose another path, or overwrite the file (--force).\n',
  );
  expect((await cli([...args, '--force'], { cwd })).code).toBe(0);
  expect(await list()).toEqual(['a.json', 'b.json', 'r.html', 'r.xml']);
});

test('writes no file when one of them cannot be written', async () => {
  const { cwd, list } = await withReports();
  const { code, stderr } = await cli(['report', 'b.json', '--html', 'r.html', '--junit', 'no/r.xml'], {
    cwd,
  });
  expect(code).toBe(2);
  expect(stderr).toContain("the folder 'no' does not exist");
  const same = await cli(['report', 'b.json', '--html', 'r', '--junit', 'r'], { cwd });
  expect([same.code, same.stderr]).toEqual([2, expect.stringContaining('cannot go to the same file')]);
  expect(await list()).toEqual(['a.json', 'b.json']);
});

test('compares two reports', async () => {
  const { cwd, at } = await withReports();
  const { code, stdout, stderr } = await cli(['report', 'a.json', 'b.json'], { cwd });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^webgl +before +after +change$/m);
  const { json } = await cliJson(['report', 'a.json', 'b.json'], { cwd });
  expect(json.providers.map((row: { provider: string }) => row.provider)).toContain('webgpu');
  const html = await cli(['report', 'a.json', 'b.json', '--html', 'c.html'], { cwd });
  expect([html.code, html.stdout]).toEqual([0, 'a.json, b.json → c.html\n']);
  expect(await readFile(at('c.html'), 'utf8')).toContain('Two reports on');
});

test.each([
  [['report', 'none.json'], 'the file does not exist'],
  [['report', 'text'], 'the file is not valid JSON'],
  [['report', 'list'], 'the document is not a report'],
  [['report', 'a.json', 'list'], 'list: the document is not a report'],
  [['report', 'a.json', 'b.json', '--junit', 'x.xml'], 'a comparison has no verdicts'],
  [['report', '-', '-'], 'two reports cannot both come from standard input'],
])('%j is refused', async (args, message) => {
  const { cwd, write, list } = await withReports();
  await write('text', 'hello');
  await write('list', '[]');
  const { code, stdout, stderr } = await cli(args, { cwd });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(await list()).toEqual(['a.json', 'b.json', 'list', 'text']);
});

test('a hostile report cannot write to the terminal', async () => {
  const folder = await tempFolder();
  await folder.write('evil.json', JSON.stringify(hostileReport(rich)));
  const { code, stdout } = await cli(['report', 'evil.json'], { cwd: folder.path });
  expect(code).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may come through
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('reports of different kinds, and more than two validations, are refused', async () => {
  const { cwd, write } = await withReports();
  await write('e.json', JSON.stringify(EXPERIMENT_REPORT));
  await write('f.json', JSON.stringify(FINETUNE_REPORT));
  for (const [paths, message] of [
    [['e.json', 'a.json'], 'a report of a validation and one of an experiment cannot be shown together'],
    [['f.json', 'e.json'], 'a report of an experiment and one of a fine-tuning cannot be shown together'],
    [['a.json', 'b.json', 'a.json'], 'only two validations can be compared, and 3 were given'],
    [['e.json', '--junit', 'x.xml'], 'the report of an experiment has no verdicts'],
  ] as const) {
    const { code, stdout, stderr } = await cli(['report', ...paths], { cwd });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  }
});

test.each([
  [
    '{"schema":"onnx-mish/ranking@1"}',
    'the document has the schema onnx-mish/ranking@1, which report does not show',
  ],
  ['{"schema":"onnx-mish/calibration@1","sites":[]}', 'the schema onnx-mish/calibration@1, which'],
  ['{"schema":"vega@1"}', 'the document has the schema vega@1, which report does not show'],
  ...['{}', '[]', 'null', '3', '"report"', '{"schema":7}'].map((text) => [text, 'is not a report']),
  ['{"schema":"onnx-mish/report@3"}', 'not a valid onnx-mish/report@2: schema: '],
  ['{"schema":"onnx-mish/experiment@1"}', 'not a valid onnx-mish/experiment@1: created: '],
])('JSON of another kind is named: %s', async (text, message) => {
  const { cwd, write } = await withReports();
  await write('x.json', text ?? '');
  const { code, stderr } = await cli(['report', 'x.json'], { cwd });
  expect([code, stderr]).toEqual([2, expect.stringContaining(`x.json: `)]);
  expect(stderr).toContain(message);
});

test('the report of an experiment is shown in each format', async () => {
  const { cwd, at, write } = await withReports();
  await write('e.json', JSON.stringify(EXPERIMENT_REPORT));
  const text = (await cli(['report', 'e.json'], { cwd })).stdout;
  for (const part of ['1 (1 diverged)', 'Roughness: of the loss landscape']) expect(text).toContain(part);
  expect((await cliJson(['report', 'e.json'], { cwd })).json).toEqual(EXPERIMENT_REPORT);
  const html = await cli(['report', 'e.json', '--html', 'e.html'], { cwd });
  expect([html.code, html.stdout]).toEqual([0, 'e.json → e.html\n']);
  expect(await readFile(at('e.html'), 'utf8')).toContain('diverged: the loss of step 12 is NaN');
});

test('each format names the runs that are missing', async () => {
  const { cwd, at, write } = await withReports();
  const missing = [{ activation: 'mish', seed: 7 }];
  await write('e.json', JSON.stringify({ ...EXPERIMENT_REPORT, missing }));
  const named = 'Missing runs: Mish, seed 7.';
  expect((await cli(['report', 'e.json'], { cwd })).stdout).toContain(named);
  expect((await cliJson(['report', 'e.json'], { cwd })).json.missing).toEqual(missing);
  const html = await cli(['report', 'e.json', '--report', 'e.html'], { cwd });
  expect([html.stdout, html.stderr]).toEqual(['e.json → e.html\n', `note: ${named}\n`]);
  expect(await readFile(at('e.html'), 'utf8')).toContain('Mish, seed 7');
});
