import type { Activations } from '../../calibrate/activations/activations.js';
import type { Calibration } from '../../calibrate/calibrate.js';
import type { Ranking } from '../../calibrate/select/ranking.js';
import type { ExperimentReport } from '../../experiment/report-schema.js';
import type { FinetuneReport } from '../../finetune/report-schema.js';
import type { Report } from '../../validate/report-schema.js';
import { mapText, printable } from '../figures.js';
import type { BudgetReport } from './budget.js';

/**
 * Renders a report as one HTML file that loads nothing. Its only script shows tooltips. Preact and Vega are imported
 * here on the first call.
 *
 * @example
 * import { writeFile } from 'node:fs/promises';
 * import { renderHtml } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * await writeFile('report.html', await renderHtml(await validateFiles('model.onnx', 'model.mish.onnx')));
 */
export async function renderHtml(report: Report): Promise<string> {
  const { reportPage } = await import('./page.js');
  return reportPage(mapText(report, printable));
}

/**
 * Renders the differences between two reports, the earlier one first, as one HTML file.
 *
 * @example
 * import { renderHtmlComparison } from 'onnx-mish/report';
 * import { validateFiles } from 'onnx-mish/validate';
 *
 * const before = await validateFiles('model.onnx', 'softplus.onnx');
 * const html = await renderHtmlComparison(before, await validateFiles('model.onnx', 'exp.onnx'));
 */
export async function renderHtmlComparison(a: Report, b: Report): Promise<string> {
  const { comparisonPage } = await import('./comparison.js');
  return comparisonPage(mapText(a, printable), mapText(b, printable));
}

/**
 * Renders the inputs of a model's activations as one HTML file; `model` is the model's name.
 *
 * @example
 * import { activations } from 'onnx-mish/calibrate';
 * import { renderHtmlActivations } from 'onnx-mish/report';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const measured = await activations('model.onnx', { data: (inputs) => seededFeeds(inputs, {}) });
 * const html = await renderHtmlActivations(measured, 'model.onnx');
 */
export async function renderHtmlActivations(activations: Activations, model: string): Promise<string> {
  const { activationsPage } = await import('./activations.js');
  return activationsPage(mapText(activations, printable), printable(model));
}

/**
 * Renders the result of a calibration as one HTML file; `model` is the model's name.
 *
 * @example
 * import { calibrate } from 'onnx-mish/calibrate';
 * import { renderHtmlCalibration } from 'onnx-mish/report';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { report } = await calibrate('model.onnx', { data: (inputs) => seededFeeds(inputs, { count: 256 }) });
 * const html = await renderHtmlCalibration(report, 'model.onnx');
 */
export async function renderHtmlCalibration(calibration: Calibration, model: string): Promise<string> {
  const { calibrationPage } = await import('./calibration.js');
  return calibrationPage(mapText(calibration, printable), printable(model));
}

/**
 * Renders the report of a fine-tuning as one HTML file.
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { parseFinetuneReport } from 'onnx-mish/finetune';
 * import { renderHtmlFinetune } from 'onnx-mish/report';
 *
 * const html = await renderHtmlFinetune(parseFinetuneReport(JSON.parse(await readFile('finetune.json', 'utf8'))));
 */
export async function renderHtmlFinetune(report: FinetuneReport): Promise<string> {
  const { finetunePage } = await import('./finetune.js');
  return finetunePage(mapText(report, printable));
}

/**
 * Renders the report of an experiment as one HTML file, with curves, loss landscapes and derivatives.
 *
 * @example
 * import { readFile, writeFile } from 'node:fs/promises';
 * import { parseExperimentReport } from 'onnx-mish/experiment';
 * import { renderHtmlExperiment } from 'onnx-mish/report';
 *
 * const report = parseExperimentReport(JSON.parse(await readFile('experiment.json', 'utf8')));
 * await writeFile('experiment.html', await renderHtmlExperiment(report));
 */
export async function renderHtmlExperiment(report: ExperimentReport): Promise<string> {
  const { experimentPage } = await import('./experiment.js');
  return experimentPage(mapText(report, printable));
}

/** Renders the ranking of a model's sites as one HTML file. */
export async function renderHtmlRanking(ranking: Ranking): Promise<string> {
  const { rankingPage } = await import('./ranking.js');
  return rankingPage(mapText(ranking, printable));
}

/** Renders a swap within a budget as one HTML file; `model` is the model's name. */
export async function renderHtmlBudget(report: BudgetReport, model: string): Promise<string> {
  const { budgetPage } = await import('./budget.js');
  return budgetPage(mapText(report, printable), printable(model));
}
