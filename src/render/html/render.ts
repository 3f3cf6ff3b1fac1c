import type { Activations } from '../../calibrate/activations/activations.js';
import type { Calibration } from '../../calibrate/calibrate.js';
import type { Report } from '../../validate/report-schema.js';
import { mapText, printable } from '../figures.js';

/**
 * Renders a report as one HTML file that loads nothing. Its only script shows tooltips. Preact and Vega are imported
 * here on the first call.
 * @example
 * await writeFile('report.html', await renderHtml(report));
 */
export async function renderHtml(report: Report): Promise<string> {
  const { reportPage } = await import('./page.js');
  return reportPage(mapText(report, printable));
}

/** Renders the differences between two reports, the earlier one first, as one HTML file. */
export async function renderHtmlComparison(a: Report, b: Report): Promise<string> {
  const { comparisonPage } = await import('./comparison.js');
  return comparisonPage(mapText(a, printable), mapText(b, printable));
}

/** Renders the inputs of a model's activations as one HTML file; `model` is the model's name. */
export async function renderHtmlActivations(activations: Activations, model: string): Promise<string> {
  const { activationsPage } = await import('./activations.js');
  return activationsPage(mapText(activations, printable), printable(model));
}

/** Renders the result of a calibration as one HTML file; `model` is the model's name. */
export async function renderHtmlCalibration(calibration: Calibration, model: string): Promise<string> {
  const { calibrationPage } = await import('./calibration.js');
  return calibrationPage(mapText(calibration, printable), printable(model));
}
