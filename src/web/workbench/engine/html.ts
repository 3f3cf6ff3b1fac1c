// A worker that renders a report as HTML. Vega compiles expressions with `new Function`, which the page's server
// allows only for this worker. The worker receives a report and no model.
import { expose } from 'comlink';
import type { Calibration } from '../../../calibrate/calibrate.js';
import type { Ranking } from '../../../calibrate/select/ranking.js';
import type { FinetuneReport } from '../../../finetune/report-schema.js';
import { mapText, printable } from '../../../render/figures.js';
import { calibrationPage } from '../../../render/html/calibration.js';
import { finetunePage } from '../../../render/html/finetune.js';
import { reportPage } from '../../../render/html/page.js';
import { rankingPage } from '../../../render/html/ranking.js';
import type { Report } from '../../../validate/report-schema.js';
import { answer } from './problem.js';

export type HtmlMaker = typeof maker;

const maker = {
  html: (report: Report) => answer(() => reportPage(mapText(report, printable))),
  finetuneHtml: (report: FinetuneReport) => answer(() => finetunePage(mapText(report, printable))),
  calibrationHtml: (report: Calibration, model: string) =>
    answer(() => calibrationPage(mapText(report, printable), printable(model))),
  rankingHtml: (ranking: Ranking) => answer(() => rankingPage(mapText(ranking, printable))),
};

expose(maker);
