// A worker that renders a report as HTML. Vega compiles expressions with `new Function`, which the page's server
// allows only for this worker. The worker receives a report and no model.
import { expose } from 'comlink';
import type { FinetuneReport } from '../../../finetune/report-schema.js';
import { mapText, printable } from '../../../render/figures.js';
import { finetunePage } from '../../../render/html/finetune.js';
import { reportPage } from '../../../render/html/page.js';
import type { Report } from '../../../validate/report-schema.js';
import { answer } from './problem.js';

export type HtmlMaker = typeof maker;

const maker = {
  html: (report: Report) => answer(() => reportPage(mapText(report, printable))),
  finetuneHtml: (report: FinetuneReport) => answer(() => finetunePage(mapText(report, printable))),
};

expose(maker);
