import { fixDocument } from '../../mish/fix.js';
import { FORM_FOR, FORMS, type FormName } from '../../mish/forms.js';
import type { SwapReport } from '../../mish/results.js';
import { retargetDocument } from '../../mish/retarget-document.js';
import { type SwapOptions, swapDocument } from '../../mish/swap.js';
import { inWebglForms } from '../../mish/webgl-forms.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { dataLocations, type OpenData, readOutsideNumbers } from '../../onnx/outside-numbers.js';
import { scan } from '../../onnx/scan.js';
import type { Spliced } from '../../onnx/splice.js';
import { faultsOf } from '../../providers/known-bugs.js';
import { WEB, type WebProvider } from '../../providers/web-providers.js';
import { webglProblems } from '../../providers/webgl/check.js';
import { webglSuspicions } from '../../providers/webgl/known-bugs.js';
import { withShapes } from '../../providers/webgl/shapes.js';
import { shapesOf } from './shapes-of.js';

/** Options of the swap; see `swap`. */
export type Swapping = Pick<
  SwapOptions,
  'to' | 'alpha' | 'beta' | 'leaky' | 'only' | 'include' | 'exclude' | 'opset'
>;

export interface PrepareOptions extends Swapping {
  readonly form: FormName | 'auto';
  /** Sizes of symbolic dimensions, by name. */
  readonly dims: Readonly<Record<string, number>>;
}

/** Reason why a provider cannot run a model. */
export interface Refusal {
  readonly provider: WebProvider;
  readonly reason: string;
  /** Advice, as an imperative. */
  readonly fix?: string | undefined;
  /** Nodes that the provider cannot run, where they are known in advance. */
  readonly nodes?: readonly string[] | undefined;
}

/** A model prepared for a provider, or the reason why the provider cannot run it. */
export type PreparedOrRefused =
  | {
      readonly ready: true;
      readonly model: Uint8Array;
      readonly report: SwapReport;
      /** Locations of the external data files, relative to the model's folder. */
      readonly externalData: readonly string[];
      /** Optimisers of ONNX Runtime that would change what the model computes. */
      readonly unfused?: string | undefined;
      /** Known bugs of the provider that may affect this model, as sentences. */
      readonly suspicions: readonly string[];
    }
  | { readonly ready: false; readonly refusal: Refusal };

/**
 * Swaps a model for a provider and prepares it: exact Mish already in the model gets the same form, and WebGL gets
 * concrete shapes and rewritten nodes. `openData` opens the data files of a document whose numbers were read from them. Throws
 * what `swap` throws.
 */
export async function prepare(
  document: OnnxDocument,
  provider: WebProvider,
  { form, dims, ...swapping }: PrepareOptions,
  openData?: OpenData | undefined,
): Promise<PreparedOrRefused> {
  const { output, report } = await swapFor(document, provider, form, swapping);
  const reread = async (changed: Spliced) => {
    const again = await scan(await changed.bytes());
    if (openData !== undefined) await readOutsideNumbers(again, openData);
    return again;
  };
  // A single piece is the unchanged model.
  let swapped = output.pieces.length > 1 ? await reread(output) : document;
  if (form === 'auto' && report.to === 'mish') {
    const retargeted = await retargetDocument(swapped, {
      form: report.form,
      keepApproximate: true,
      undo: false,
    });
    if (retargeted.report.sites.length > 0) swapped = await reread(retargeted.output);
  }
  const finished = await (FINISH[provider] ?? unchanged)(swapped, provider, dims);
  return finished.ready ? { ...finished, report, externalData: dataLocations(document) } : finished;
}

/** The last step of a preparation: returns the model for ONNX Runtime, or the reason why the provider cannot run it. */
type Finish = (
  swapped: OnnxDocument,
  provider: WebProvider,
  dims: PrepareOptions['dims'],
) => Promise<
  | Pick<Extract<PreparedOrRefused, { ready: true }>, 'ready' | 'model' | 'unfused' | 'suspicions'>
  | Extract<PreparedOrRefused, { ready: false }>
>;

const FINISH: Readonly<Partial<Record<WebProvider, Finish>>> = { webgl: forWebgl };

/** Returns the model unchanged, for a provider that can run every model. */
async function unchanged(swapped: OnnxDocument, provider: WebProvider) {
  const { unfused, suspicions } = faultsOf(provider, swapped);
  const model = await bytesOf(swapped);
  return { ready: true, model, unfused: unfused?.optimisers, suspicions } as const;
}

/** Rewrites nodes that WebGL computes wrongly, and makes every dimension a number. */
async function forWebgl(swapped: OnnxDocument, provider: WebProvider, dims: PrepareOptions['dims']) {
  const { document } = await inWebglForms(swapped, { exact: false });
  const fixed = await fixDocument(document, { undo: false });
  const right = fixed.report.fixes.length > 0 ? await scan(await fixed.output.bytes()) : document;
  // External data moves into the model before it is opened.
  const problems = webglProblems(right).filter(({ kind }) => kind !== 'external-data');
  if (problems.length > 0) {
    const reasons = [...new Set(problems.map(({ message }) => message))];
    const nodes = problems.flatMap(({ op, opset, node }) =>
      node === null ? [] : `${op} (opset ${opset}) ‘${node}’`,
    );
    return { ready: false, refusal: { provider, reason: reasons.join('; '), nodes } } as const;
  }
  const suspicions = webglSuspicions(right);
  const model = await withShapes(right, shapesOf(right, dims)).bytes();
  return { ready: true, model, suspicions } as const;
}

async function bytesOf({ source }: OnnxDocument): Promise<Uint8Array> {
  return source.bytes ?? source.read(0, source.size);
}

/** Swaps in the given form; for `auto` in the form that leaves the fewest sites that the provider cannot run. */
async function swapFor(
  document: OnnxDocument,
  provider: WebProvider,
  form: FormName | 'auto',
  swapping: Swapping,
) {
  const { to = 'mish' } = swapping;
  if (to !== 'mish') {
    const given = form === 'auto' ? { target: provider } : { form };
    return swapDocument(document, { ...swapping, ...given, fix: false, undo: false });
  }
  const forms = form === 'auto' ? formsFor(provider) : [form];
  const swaps: Awaited<ReturnType<typeof swapDocument>>[] = [];
  for (const form of forms) swaps.push(await swapDocument(document, { ...swapping, form, undo: false }));
  const unsupported = ({ report: { form, sites, skipped } }: (typeof swaps)[number]) =>
    skipped.filter(({ reason }) => reason === 'unknown-type' || reason === 'type-not-in-form').length +
    sites.filter(({ elemType }) => isLimited(form, elemType, provider)).length;
  return swaps.reduce((best, swap) => (unsupported(swap) < unsupported(best) ? swap : best));
}

/** Returns the forms to try. A provider without a fallback (WebGL) has the operators of one form only. */
function formsFor(provider: WebProvider): FormName[] {
  const best = FORM_FOR[provider];
  return WEB[provider].fallback === undefined ? [best] : [...new Set([best, 'exp', 'softplus'] as const)];
}

/** Returns whether ONNX Runtime cannot run a form for an element type, on the provider or on its fallback. */
function isLimited(form: FormName, elemType: string, provider: WebProvider): boolean {
  const on = WEB[provider].fallback ?? provider;
  return FORMS[form].limits.some(
    (limit) => limit.type === elemType && limit.before === undefined && limit.on.includes(on),
  );
}
