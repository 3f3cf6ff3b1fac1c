// A worker that makes a report's HTML. Vega compiles expressions with `new Function`, so that the server of the page lets
// this one worker do so; it sees a report and no model.
import { expose } from 'comlink';
import { mapText, printable } from '../../../report/figures.js';
import { reportPage } from '../../../report/html/page.js';
import type { Report } from '../../../validate/report.js';
import { answer } from './problem.js';

export type HtmlMaker = typeof maker;

const maker = { html: (report: Report) => answer(() => reportPage(mapText(report, printable))) };

expose(maker);
