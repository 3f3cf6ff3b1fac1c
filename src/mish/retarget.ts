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
  /** Store the undo record in the model; true by default. */
  readonly undo?: boolean | undefined;
  /** Rewrite the nodes that WebGL computes wrong; see `fix`. True by default for the target webgl. */
  readonly fix?: boolean | undefined;
  /** @deprecated Alias of `fix`. */
  readonly fixRelu?: boolean | undefined;
}

/** Result of a retarget. */
export interface RetargetReport {
  readonly form: FormName;
  /** The rewritten sites; `kind` is the previous form. */
  readonly sites: readonly SiteReport[];
  /** Mish that keeps its form, with the reasons. */
  readonly skipped: readonly SkipReport[];
  /** Nodes rewritten so that WebGL computes them right. */
  readonly fixes: readonly FixedNode[];
  /** Number of sites that already had the form. */
  readonly unchanged: number;
  readonly notes: readonly string[];
  /** The options that notes advise; the key is the note. */
  readonly noteOptions?: Readonly<NoteOptions>;
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * Rewrites the Mish of a model into another form of the same function. Nodes of the old form stay if other nodes read
 * them, or if they are outputs. Throws the errors of `swap`.
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

/** Returns the edits that rewrite recognised Mish with another form or sharpness, and delete unused nodes. */
export function rewriteMish(
  document: OnnxDocument,
  index: GraphIndex,
  sites: readonly Recognised[],
  change: Partial<Pick<Recognised, 'form' | 'beta'>>,
): Edit[] {
  const removed = unused(sites, index);
  // A value is deleted too if only rewritten sites read it.
  const targets = sites.filter(({ node }) => !removed.has(node)).map((mish) => ({ ...mish, ...change }));
  return rewrite(document, targets, removed);
}

function asSite({ node, scope, written, type }: Recognised) {
  return { node, scope, kind: written, alpha: undefined, type };
}
