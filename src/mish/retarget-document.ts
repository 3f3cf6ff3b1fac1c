import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import { fixesFor } from './fixes.js';
import { createFormCheck } from './form-obstacle.js';
import { spliceWithRecord } from './history.js';
import { type NoteOptions, noteOnSize, notesOn } from './notes.js';
import { besides, opsetAdvice, raising, withOpset } from './opset.js';
import { type Recognised, recognise } from './recognise.js';
import { type SkipReport, siteReport, skipReport } from './results.js';
import { doubtsOf, newForms, notesOnApproximate } from './retarget-forms.js';
import { findUnsupported } from './retarget-others.js';
import type { RetargetOptions, RetargetReport } from './retarget-report.js';
import { boundsOf, rewriteMish } from './rewrite-mish.js';
import { checkOpset } from './sites.js';
import { chooseForm, countMixtures } from './swap.js';

export type { RetargetOptions, RetargetReport };

/** Does what `retarget` does, for a scanned document. */
export async function retargetDocument(
  document: OnnxDocument,
  options: RetargetOptions,
): Promise<{ output: Spliced; report: RetargetReport }> {
  return withOpset(document, options.opset, (raised) => retargetRaised(document, options, raised));
}

async function retargetRaised(
  document: OnnxDocument,
  options: RetargetOptions,
  raised: readonly Edit[],
): Promise<{ output: Spliced; report: RetargetReport }> {
  const form = chooseForm(options);
  const analysis = analyse(document);
  const found = await recognise(document, analysis);
  const advice = await opsetAdvice(document, form);
  const { changes: others, kept } = await newForms(form, found, analysis.index, options);
  const changed: Recognised[] = [];
  const sites: Recognised[] = [];
  const skipped: SkipReport[] = [];
  const obstacleTo = await createFormCheck(document);
  for (const [mish, next] of others) {
    checkOpset(next, mish.scope, document, advice, mish.form.name);
    const obstacle = obstacleTo(next, mish, mish);
    if (obstacle === undefined) {
      sites.push({ ...mish, form: next });
      if (!kept.has(mish)) changed.push(mish);
    } else skipped.push(skipReport({ ...asSite(mish), ...obstacle }));
  }

  const unsupported = await findUnsupported(document, analysis, options.target);
  const gone = new Set([
    ...sites.flatMap(({ node, inner }) => [node, ...inner]),
    ...unsupported.map(({ node }) => node),
  ]);
  const isWanted = options.fix ?? (options.fixRelu === true || options.target === 'webgl');
  const { edits: more, fixes } = await fixesFor(isWanted, document, gone, analysis);
  const changes = [...(await rewriteMish(document, analysis.index, sites, {}, unsupported)), ...more];
  const edits = [...changes, ...besides(raised, changes)];
  const { bound, notes } = await boundsOf(form, changed);
  const doubts = await doubtsOf(form, changed, analysis);
  const operations = [
    {
      operation: 'retarget',
      form: [...new Set([...sites, ...unsupported].map((site) => site.form.name))].join(', '),
      ...bound,
      ...countMixtures(sites),
      sites: sites.length + unsupported.length,
    },
    { operation: 'fix', form: 'webgl', sites: fixes.length },
    raising(document, raised),
  ] as const;
  const output = await spliceWithRecord(document, edits, operations, options.undo ?? true);
  const noteOptions: NoteOptions = {};
  const report: RetargetReport = {
    form: form.name,
    ...bound,
    sites: sites.map((mish) => {
      const { node, beta, leak } = mish;
      return siteReport({ ...asSite(mish), beta, leak, doubt: doubts.get(node) });
    }),
    skipped,
    others: unsupported.map(siteReport),
    fixes,
    unchanged: found.length - others.length,
    ...(kept.size === 0 ? {} : { approximate: kept.size }),
    notes: [
      ...notesOn(form, changed, advice, noteOptions),
      ...notes,
      ...notesOnApproximate(form, changed, kept, noteOptions),
      ...noteOnSize(output.size),
    ],
    noteOptions,
    bytesIn: document.source.size,
    bytesOut: output.size,
  };
  return { output, report };
}

function asSite({ node, scope, written, type }: Recognised) {
  return { node, scope, kind: written, alpha: undefined, type };
}
