import type { Report } from '../../validate/report.js';
import { mapText, printable } from '../figures.js';

/**
 * The report as one HTML file that needs nothing else: no network, no script but for tooltips. What it takes to
 * make it, Preact and Vega, is loaded here and not before.
 */
export async function renderHtml(report: Report): Promise<string> {
  const { reportPage } = await import('./page.js');
  return reportPage(mapText(report, printable));
}
