import type { Activations } from '../../calibrate/activations/activations.js';
import type { Calibration } from '../../calibrate/calibrate.js';
import type { Report } from '../../validate/report-schema.js';
import { mapText, printable } from '../figures.js';

/**
 * The report as one HTML file that needs nothing else: no network, no script but for tooltips. What it takes to
 * make it, Preact and Vega, is loaded here and not before.
 */
export async function renderHtml(report: Report): Promise<string> {
  const { reportPage } = await import('./page.js');
  return reportPage(mapText(report, printable));
}

/** What changed from one report to another, the earlier one first, as a page of the same kind. */
export async function renderHtmlComparison(a: Report, b: Report): Promise<string> {
  const { comparisonPage } = await import('./comparison.js');
  return comparisonPage(mapText(a, printable), mapText(b, printable));
}

/** What the activations of a model take in, as a page of the same kind; `model` is what to call it. */
export async function renderHtmlActivations(activations: Activations, model: string): Promise<string> {
  const { activationsPage } = await import('./activations.js');
  return activationsPage(mapText(activations, printable), printable(model));
}

/** What a calibration did, as a page of the same kind; `model` is what to call it. */
export async function renderHtmlCalibration(calibration: Calibration, model: string): Promise<string> {
  const { calibrationPage } = await import('./calibration.js');
  return calibrationPage(mapText(calibration, printable), printable(model));
}
