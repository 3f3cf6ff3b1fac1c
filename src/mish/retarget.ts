import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { scan } from '../onnx/scan.js';
import type { ModelInput } from '../onnx/source.js';
import type { Edit, Spliced } from '../onnx/splice.js';
import type { FixedNode } from './fix-report.js';
import { fixesFor } from './fixes.js';
import { formObstacle } from './form-obstacle.js';
import type { FormName } from './forms.js';
import { spliceWithRecord } from './history.js';
import { type NoteOptions, noteOnSize, notesOn } from './notes.js';
import { besides, opsetAdvice, raising, withOpset } from './opset.js';
import { type Recognised, recognise } from './recognise.js';
import { type SiteReport, type SkipReport, siteReport, skipReport } from './results.js';
import { rewrite } from './rewrite.js';
import { checkOpset } from './sites.js';
import { chooseForm, countMixtures, type FormOptions } from './swap.js';
import { unused } from './unused.js';

export interface RetargetOptions extends FormOptions {
  /** Keep in the model what `undo` needs; true unless given. */
  readonly undo?: boolean | undefined;
  /** Write what WebGL computes wrong so that it is right; see `fix`. For the target webgl it is done unless this is false. */
  readonly fix?: boolean | undefined;
  /** @deprecated another name for `fix`. */
  readonly fixRelu?: boolean | undefined;
}

/** What a retarget did. */
export interface RetargetReport {
  readonly form: FormName;
  /** Rewritten; `kind` is the form each had. */
  readonly sites: readonly SiteReport[];
  /** Mish that stays in the form it has, and why. */
  readonly skipped: readonly SkipReport[];
  /** Nodes written so that WebGL computes them right. */
  readonly fixes: readonly FixedNode[];
  /** Number of sites that had the form already. */
  readonly unchanged: number;
  readonly notes: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions?: Readonly<NoteOptions>;
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * Rewrites the Mish that is already in a model into another form of the same function. A node of the old
 * form whose result is used elsewhere, or is an output, stays. Throws as `swap` does.
 *
 * @example
 * import { retarget } from 'onnx-mish';
 *
 * const { output } = await retarget(bytes, { target: 'webgl' });
 * const forWebgl = await output.blob();
 */
export async function retarget(
  input: ModelInput,
  options: RetargetOptions,
): Promise<{ output: Spliced; report: RetargetReport }> {
  return retargetDocument(await scan(input), options);
}

/** `retarget` for a document that has been scanned already. */
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
  const others = found.filter(({ written }) => written !== form.name);
  const sites: Recognised[] = [];
  const skipped: SkipReport[] = [];
  for (const mish of others) {
    checkOpset(form, mish.scope, document, advice, mish.form.name);
    const obstacle = formObstacle(form, mish, mish, document);
    if (obstacle === undefined) sites.push(mish);
    else skipped.push(skipReport({ ...asSite(mish), ...obstacle }));
  }

  const gone = new Set(sites.flatMap(({ node, inner }) => [node, ...inner]));
  const isWanted = options.fix ?? (options.fixRelu === true || options.target === 'webgl');
  const { edits: more, fixes } = await fixesFor(isWanted, document, gone, analysis);
  const changes = [...rewriteMish(document, analysis.index, sites, { form }), ...more];
  const edits = [...changes, ...besides(raised, changes)];
  const operations = [
    { operation: 'retarget', form: form.name, ...countMixtures(sites), sites: sites.length },
    { operation: 'fix', form: 'webgl', sites: fixes.length },
    raising(document, raised),
  ] as const;
  const output = await spliceWithRecord(document, edits, operations, options.undo ?? true);
  const noteOptions: NoteOptions = {};
  const report: RetargetReport = {
    form: form.name,
    sites: sites.map((mish) => siteReport({ ...asSite(mish), beta: mish.beta, leak: mish.leak })),
    skipped,
    fixes,
    unchanged: found.length - others.length,
    notes: [...notesOn(form, sites, advice, noteOptions), ...noteOnSize(output.size)],
    noteOptions,
    bytesIn: document.source.size,
    bytesOut: output.size,
  };
  return { output, report };
}

/** The edits that write Mish found in a document anew, with another form or sharpness, and take out what is left over. */
export function rewriteMish(
  document: OnnxDocument,
  index: GraphIndex,
  sites: readonly Recognised[],
  change: Partial<Pick<Recognised, 'form' | 'beta'>>,
): Edit[] {
  const removed = unused(sites, index);
  // A result that only others of the sites read goes with them.
  const targets = sites.filter(({ node }) => !removed.has(node)).map((mish) => ({ ...mish, ...change }));
  return rewrite(document, targets, removed);
}

function asSite({ node, scope, written, type }: Recognised) {
  return { node, scope, kind: written, alpha: undefined, type };
}
