// A worker that makes a report's HTML. Vega compiles expressions with `new Function`, so that the server of the page lets
// this one worker do so; it sees a report and no model.
import { expose } from 'comlink';
import { mapText, printable } from '../../../render/figures.js';
import { reportPage } from '../../../render/html/page.js';
import type { Report } from '../../../validate/report-schema.js';
import { answer } from './problem.js';

export type HtmlMaker = typeof maker;

const maker = { html: (report: Report) => answer(() => reportPage(mapText(report, printable))) };

expose(maker);
