import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import { fixesFor } from './fixes.js';
import { spliceWithRecord } from './history.js';
import { type NoteOptions, notesOn, notesOnRareModels } from './notes.js';
import { besides, opsetAdvice, raising, withOpset } from './opset.js';
import { recogniseOnIntegers } from './recognise.js';
import { siteReport, skipReport } from './results.js';
import { asSite, doubtsOf, newForms, notesOnApproximate } from './retarget-forms.js';
import { findUnsupported } from './retarget-others.js';
import type { RetargetOptions, RetargetReport } from './retarget-report.js';
import { boundsOf, rewriteMish } from './rewrite-mish.js';
import type { Skip } from './site.js';
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
  const advice = await opsetAdvice(document, form);
  const { sites, changed, kept, skipped, unchanged } = await newForms(
    document,
    analysis,
    form,
    advice,
    options,
  );

  const quantized = (await recogniseOnIntegers(document, analysis)).map((site) => onIntegers(site));
  const unsupported = await findUnsupported(document, analysis, options.target);
  const gone = new Set([
    ...sites.flatMap(({ node, inner }) => [node, ...inner]),
    ...unsupported.map(({ node }) => node),
  ]);
  const isWanted = options.fix ?? (options.fixRelu === true || options.target === 'webgl');
  const { edits: more, fixes } = await fixesFor(isWanted, document, gone, analysis, raised);
  const changes = [...(await rewriteMish(document, analysis.index, sites, {}, unsupported)), ...more];
  const edits = [...changes, ...besides(raised, changes)];
  const { bound, notes } = await boundsOf(form, changed);
  const doubts = await doubtsOf(document, form, changed, analysis);
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
    skipped: [...skipped, ...quantized].map(skipReport),
    others: unsupported.map(siteReport),
    fixes,
    unchanged,
    ...(kept.size === 0 ? {} : { approximate: kept.size }),
    notes: [
      ...notesOn(form, changed, advice, noteOptions),
      ...notes,
      ...notesOnApproximate(form, changed, kept, noteOptions),
      ...(await notesOnRareModels(output.size)),
    ],
    noteOptions,
    bytesIn: document.source.size,
    bytesOut: output.size,
  };
  return { output, report };
}

/** Returns the skip of a Mish on integers. */
const onIntegers = ({ node, scope }: Pick<Skip, 'node' | 'scope'>): Skip => ({
  node,
  scope,
  kind: 'mish',
  alpha: undefined,
  type: undefined,
  reason: 'quantized',
  why: 'operators on integers compute it; undo the swap, and write it anew',
});
