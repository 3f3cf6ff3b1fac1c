import { h } from 'preact';
import { render } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { calibrate } from '../../src/node/calibrate.js';
import { bytesCandidate, validateFiles } from '../../src/node/validate-files.js';
import { outputHead, outputRows } from '../../src/render/calibration-figures.js';
import { compareReports } from '../../src/render/compare.js';
import { scoreHead, scoreRows } from '../../src/render/finetune-figures.js';
import { renderHtml, renderHtmlCalibration } from '../../src/render/html/render.js';
import { renderCalibration } from '../../src/render/index.js';
import { renderJunit } from '../../src/render/junit.js';
import { renderTerminal } from '../../src/render/terminal.js';
import { Accuracies } from '../../src/web/workbench/page/accuracies.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';
import { floats, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const [SAMPLES, LABELS] = [24, 4];
const net = (activation: string) =>
  model({
    nodes: [
      ...[node('Gemm', ['x', 'w'], ['h']), node(activation, ['h'], ['a'])],
      ...[node('Gemm', ['a', 'v'], ['s']), node('Sigmoid', ['s'], ['tags'])],
    ],
    initializers: [floats('w', [3, 5], [...wave(15, 0.4)]), floats('v', [5, LABELS], [...wave(20, 0.7)])],
    inputs: [value('x', 1, ['N', 3])],
    outputs: [value('tags', 1, ['N', LABELS])],
  });
const x = { elemType: 'f32', dims: [SAMPLES, 3], data: wave(3 * SAMPLES, 0.9) };
const tags = Uint8Array.from({ length: SAMPLES * LABELS }, (_, at) => Number((at * at) % 7 < 3));
const y = { elemType: 'u8', dims: [SAMPLES, LABELS], data: tags };

const [original, swapped] = [await bytesCandidate(net('Relu'), 'a'), await bytesCandidate(net('Tanh'), 'b')];
const report = await validateFiles(original, swapped, {
  data: (inputs) => sampledFeeds({ x, y }, inputs, { labels: 'y' }),
  latency: false,
});

test('no view of a report speaks of places or classes where a sample has several labels', async () => {
  const { original: before } = report.providers[0]?.accuracy ?? {};
  expect(before?.multiLabel?.exactMatch).toBeLessThan(before?.top1 ?? 0);
  const views = {
    terminal: renderTerminal(report),
    html: await renderHtml(report),
    junit: renderJunit(report),
    comparison: JSON.stringify(compareReports(report, report)),
    page: render(h(Accuracies, { rows: report.providers, nameOf: (name: string) => name })),
  };
  for (const [view, text] of Object.entries(views)) {
    for (const measure of [/right labels/, /exact match/i, /micro F1/i, /macro F1/i])
      expect(text, view).toMatch(measure);
    expect(text, view).not.toMatch(/IoU|right places|top-1 \(95|labelled[^.]*top-[15]/);
  }
});

test('a calibration has the measures of both models by several labels, and the difference of right labels', async () => {
  const calibration = await calibrate(net('Relu'), {
    data: (inputs) => sampledFeeds({ x, y }, inputs, { labels: 'y' }),
    ...{ beta: 1, steps: 0 },
  });
  const { report } = calibration;
  const head = outputHead(report);
  expect(head.slice(-4)).toEqual(['right labels (95 %)', 'exact match (95 %)', 'micro F1', 'macro F1']);
  for (const row of outputRows(report)) expect(row).toHaveLength(head.length);
  const texts = [renderCalibration(report), await renderHtmlCalibration(report, 'net.onnx')];
  for (const text of texts) {
    expect(/Right labels, calibrated minus original/.test(text)).toBe(true);
    expect(/(?<!same )top-1/i.test(text)).toBe(false);
  }
  expect(outputHead({ original: null }).at(-1)).toBe('top-1 (95 %)');
});

test('the scores of a fine-tuning have a column for each measure, and each row fills them', () => {
  const multiLabel = { exactMatch: 0.5, microF1: 0.75, macroF1: null };
  const score = { loss: 0.1, accuracy: 0.9, n: 100, multiLabel };
  const { start, runs } = FINETUNE_REPORT;
  const tagged = {
    ...FINETUNE_REPORT,
    start: { ...start, original: score, plain: score, repaired: start.repaired && score },
    runs: runs.map((run) => ({ ...run, test: score })),
  };
  expect(scoreHead(tagged)).toEqual([
    ...['model', 'seed', 'accuracy (95 %)', 'exact match (95 %)', 'micro F1', 'macro F1', 'loss', 'time'],
  ]);
  for (const row of scoreRows(tagged))
    expect(row.slice(3, 6)).toEqual(['50.0 % (40.4 to 59.6)', '0.750', '–']);
});
