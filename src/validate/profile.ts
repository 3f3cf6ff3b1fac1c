import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { quantile } from '../metrics/statistics.js';
import { FORMS, type FormName } from '../mish/forms.js';
import { retargetDocument } from '../mish/retarget-document.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type {
  KernelTime,
  Placement,
  Provider,
  RunnableModel,
  SessionOptions,
} from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';
import type { Both } from './compare.js';
import { namedSites } from './named-sites.js';
import type { ModelProfile, Profile } from './report-schema.js';

export interface ProfileOptions {
  readonly session?: SessionOptions | undefined;
  /** Number of runs to profile, after an uncounted first run; default 10. */
  readonly runs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Profiles both models with ONNX Runtime's profiler, by operator and by site. `lostFusionUs` is the swap's cost outside
 * the Mish nodes: ONNX Runtime fuses the original's activations into the nodes before them, and cannot fuse Mish.
 * Throws `run-failed`, `aborted`, and `bad-usage` for a provider that has no profiler.
 */
export async function profileBoth(
  provider: Provider,
  models: Both<LoadedModel>,
  feeds: Tensors,
  options: ProfileOptions = {},
): Promise<Profile> {
  const original = await profileOne(provider, models.original, feeds, options);
  const swapped = await profileOne(provider, models.swapped, feeds, options);
  const measure = async (model: RunnableModel) => totalUs(await kernelsOf(provider, model, feeds, options));
  const inSites = (profile: ModelProfile) => profile.sites.reduce((sum, { us }) => sum + us, 0);
  const mishUs = inSites(swapped);
  const forms: Profile['forms'] = [];
  for (const form of Object.keys(FORMS) as FormName[]) {
    forms.push({ form, us: await inForm(models.swapped, form, swapped.totalUs, measure) });
  }
  const lostFusionUs = swapped.totalUs - mishUs - (original.totalUs - inSites(original));
  return { original, swapped, mishUs, lostFusionUs, forms };
}

/** Returns the time of a run, in µs, with all Mish in a form; null if the form cannot be written or does not run. */
async function inForm(
  model: LoadedModel,
  form: FormName,
  unchangedUs: number,
  measure: (model: RunnableModel) => Promise<number>,
): Promise<number | null> {
  try {
    const { output, report } = await retargetDocument(model.document, { form, undo: false });
    if (report.skipped.length > 0) return null;
    return await (report.sites.length === 0 ? unchangedUs : model.withEdited(output, measure));
  } catch (error) {
    const cannot = error instanceof OnnxMishError && ['unsupported-form', 'run-failed'].includes(error.code);
    if (cannot) return null;
    throw error;
  }
}

/** Number of runs to profile, unless the options give a number. */
const DEFAULT_RUNS = 10;

/** Profiles one model. Throws as `profileBoth` does. */
export async function profileOne(
  provider: Provider,
  model: LoadedModel,
  feeds: Tensors,
  options: ProfileOptions = {},
): Promise<ModelProfile> {
  const { sites, edited } = await namedSites(model.document);
  const measure = (runnable: RunnableModel) => kernelsOf(provider, runnable, feeds, options);
  const kernels = await (edited === undefined ? measure(model.file) : model.withEdited(edited, measure));
  return { runs: options.runs ?? DEFAULT_RUNS, ...summariseKernels(kernels, sites) };
}

/** Returns the kernels of a median run. */
async function kernelsOf(
  provider: Provider,
  model: RunnableModel,
  feeds: Tensors,
  { session, runs = DEFAULT_RUNS, signal }: ProfileOptions,
): Promise<KernelTime[]> {
  return medianRun(await profiledRuns(provider, model, feeds, { session, runs: runs + 1, signal }), runs + 1);
}

/**
 * Merges several runs into a single run, with the median time of each kernel; a busy machine changes a median less than
 * a mean. The first run is left out: it fills caches and pools. If the runs have different kernels, because a loop's
 * length depends on its data, the result is all kernels with their times divided by the number of runs.
 */
export function medianRun(kernels: readonly KernelTime[], runs: number): KernelTime[] {
  const each = kernels.length / runs;
  const first = kernels.slice(0, each);
  const same = kernels.every(({ node, op }, index) => {
    const like = first[index % each];
    return like?.node === node && like.op === op;
  });
  if (!Number.isInteger(each) || !same) return kernels.map((kernel) => ({ ...kernel, us: kernel.us / runs }));
  return first.map((kernel, place) => {
    const times: number[] = [];
    for (let index = place + each; index < kernels.length; index += each) times.push(kernels[index]?.us ?? 0);
    return times.length === 0 ? kernel : { ...kernel, us: quantile(times, 0.5) };
  });
}

/** Runs a model once and returns the execution provider of each node. Throws as `profileBoth` does. */
export async function observePlacement(
  provider: Provider,
  model: RunnableModel,
  feeds: Tensors,
  options: ProfileOptions = {},
): Promise<Placement> {
  return placementOf(await profiledRuns(provider, model, feeds, { ...options, runs: 1 }), provider.name);
}

/** Counts kernels by execution provider, and lists the kernels on the CPU if another provider was requested. */
export function placementOf(kernels: readonly KernelTime[], asked: string): Placement {
  const counts: Record<string, number> = {};
  for (const { provider } of kernels) counts[provider] = (counts[provider] ?? 0) + 1;
  const moved = kernels
    .filter(({ provider }) => asked !== 'cpu' && provider === 'CPUExecutionProvider')
    .map(({ node, op, provider }) => ({ node, op, provider }));
  return { counts, moved };
}

async function profiledRuns(
  provider: Provider,
  model: RunnableModel,
  feeds: Tensors,
  { session: options, runs, signal }: ProfileOptions & { readonly runs: number },
): Promise<KernelTime[]> {
  const session = await provider.open(model, { ...options, profile: true });
  try {
    if (session.profile === undefined) {
      throw new OnnxMishError('bad-usage', `ONNX Runtime has no profiler on ${provider.name}`);
    }
    for (let run = 0; run < runs; run++) {
      stopIfAborted(signal);
      await session.run(feeds);
    }
    return await session.profile();
  } finally {
    await session.close();
  }
}

/** Operators whose time repeats the time of their bodies' kernels, which are listed as well. */
const CONTROL_FLOW = new Set(['If', 'Loop', 'Scan']);

const countedKernels = (kernels: readonly KernelTime[]) => kernels.filter(({ op }) => !CONTROL_FLOW.has(op));

const totalUs = (kernels: readonly KernelTime[]) =>
  countedKernels(kernels).reduce((sum, { us }) => sum + us, 0);

/** Sums the kernel times of a run, by operator and by site. A site that was fused away has no kernel, so 0 µs. */
export function summariseKernels(
  kernels: readonly KernelTime[],
  sites: ReadonlyMap<string, string>,
): Omit<ModelProfile, 'runs'> {
  const operators = new Map<string, { op: string; provider: string; calls: number; us: number }>();
  const bySite = new Map<string, number>([...sites.values()].map((site) => [site, 0]));
  const counted = countedKernels(kernels);
  for (const { node, op, provider, us } of counted) {
    const key = `${op} ${provider}`;
    const sum = operators.get(key) ?? { op, provider, calls: 0, us: 0 };
    operators.set(key, { ...sum, calls: sum.calls + 1, us: sum.us + us });
    const site = sites.get(node);
    if (site !== undefined) bySite.set(site, (bySite.get(site) ?? 0) + us);
  }
  return {
    totalUs: counted.reduce((sum, { us }) => sum + us, 0),
    operators: [...operators.values()].sort((a, b) => b.us - a.us),
    sites: [...bySite].map(([node, us]) => ({ node, us })),
  };
}
