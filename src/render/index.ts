// Renders a report for a terminal, as HTML and as JUnit XML, and compares two reports.

export { renderActivations } from './activations.js';
export { renderCalibration } from './calibration.js';
export { type Change, type Comparison, compareReports, type ProviderComparison } from './compare.js';
export { renderExperiment } from './experiment.js';
export { renderFinetune } from './finetune.js';
export {
  renderHtml,
  renderHtmlActivations,
  renderHtmlCalibration,
  renderHtmlComparison,
  renderHtmlExperiment,
  renderHtmlFinetune,
} from './html/render.js';
export { renderJunit } from './junit.js';
export { renderComparison, renderTerminal, type TerminalOptions } from './terminal.js';
