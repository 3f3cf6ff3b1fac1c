// A provider's row of a report.

import { isAborted } from '../base/abort.js';
import { messageOf, OnnxMishError, withDetails } from '../base/error.js';
import { integer } from '../base/plural.js';
import { type Dataset, type Feeds, firstFeed } from '../data/dataset.js';
import { FORMS, type FormName } from '../mish/forms.js';
import { type Kernel, kernelModel } from '../mish/kernel.js';
import { FLOAT_TYPES, type FloatType } from '../onnx/types.js';
import type { Pairs, Placement, Provider, Session, SessionOptions, Shapes } from '../providers/provider.js';
import { dimsOf } from '../providers/tensor.js';
import { type Both, compare } from './compare.js';
import { sweep } from './kernel-sweep.js';
import { measureLatency, takingTurns } from './latency.js';
import { divergences } from './layer-reports.js';
import type { InspectedModel, ValidationOptions } from './options.js';
import { observePlacement, profileBoth } from './profile.js';
import type { KernelSweep, ProviderRow } from './report-schema.js';

/**
 * Opens both models, or neither. A small model runs first, so that ONNX Runtime's start-up time is not counted as the
 * original's. Throws `run-failed`.
 */
export async function openBoth(
  provider: Provider,
  options: ValidationOptions,
  shapes?: Both<Shapes>,
): Promise<Both<Session>> {
  const session = takingTurns(options.session);
  await warmUp(provider, session);
  const original = await openOne(provider, options.original, { ...session, shapes: shapes?.original });
  try {
    const swapped = await openOne(provider, options.swapped, { ...session, shapes: shapes?.swapped });
    return { original, swapped };
  } catch (error) {
    await original.close();
    throw error;
  }
}

/** Runs a ReLU once. A plain run, not a sweep: a sweep swallows errors, and a browser's crash must surface. */
async function warmUp(provider: Provider, options: SessionOptions | undefined): Promise<void> {
  const x = { elemType: 'f32', dims: [1], data: new Float32Array(1) };
  const shapes = { inputs: { x: x.dims }, outputs: { y: x.dims } };
  const session = await provider.open(kernelModel({ kind: 'relu' }, 'f32', 13), { ...options, shapes });
  try {
    await session.run({ x });
  } finally {
    await session.close();
  }
}

/** Opens a model. Errors carry the model's name, since bytes have no name. */
async function openOne(
  provider: Provider,
  { model, info }: InspectedModel,
  options: SessionOptions | undefined,
): Promise<Session> {
  try {
    return await provider.open(model.file, options);
  } catch (error) {
    if (!(error instanceof OnnxMishError)) throw error;
    throw withDetails(error, { where: info.name });
  }
}

export async function closeBoth({ original, swapped }: Both<Session>): Promise<void> {
  await Promise.allSettled([original.close(), swapped.close()]);
}

/** Maximum number of unsupported nodes that a row lists. */
const MAX_LISTED_NODES = 50;

/** The figures of a row that did not run. */
const EMPTY = {
  runtime: null,
  notes: [],
  retargeted: null,
  placement: null,
  parting: { original: null, swapped: null },
  profile: null,
  kernel: [],
  drift: [],
  parity: null,
  expected: null,
  accuracy: null,
  latency: null,
};

/** Returns the row of a provider other than the reference; the row holds the reason of any failure. Throws `aborted`. */
export async function measureElsewhere(
  provider: Provider,
  baseline: Both<Session>,
  dataset: Dataset<Feeds>,
  options: ValidationOptions,
): Promise<ProviderRow> {
  const { original, swapped } = options;
  try {
    for (const [which, { model }] of [
      ['original', original],
      ['swapped model', swapped],
    ] as const) {
      const unsupported = await provider.check?.(model.document);
      if (unsupported === undefined) continue;
      const { reason, fix, nodes } = unsupported;
      const notes = [
        ...nodes.slice(0, MAX_LISTED_NODES),
        ...(nodes.length > MAX_LISTED_NODES ? [`and ${integer(nodes.length - MAX_LISTED_NODES)} more`] : []),
      ];
      return {
        provider: provider.name,
        status: 'failed',
        ...EMPTY,
        reason: `the ${which} cannot run on ${provider.name}: ${reason}`,
        fix,
        notes,
      };
    }
    const available = await provider.availability();
    if (!available.available) {
      const { reason, fix, option } = available;
      return { provider: provider.name, status: 'unavailable', reason, fix, option, ...EMPTY };
    }
    const models = await openBoth(provider, options, await shapesOf(baseline, dataset));
    try {
      return await measure(provider, models, baseline, dataset, options);
    } finally {
      await closeBoth(models);
    }
  } catch (error) {
    if (isAborted(error)) throw error;
    // A failure of any kind does not stop the other providers' rows.
    const known = error instanceof OnnxMishError;
    // The report names the model; only a file's name has to be added.
    const place = known && error.code === 'io' && error.where !== undefined ? `${error.where}: ` : '';
    const reason = known ? `${place}${error.what}` : messageOf(error);
    const fix = known ? (error.fix ?? null) : null;
    const option = known ? error.option : undefined;
    return { provider: provider.name, status: 'failed', reason, fix, option, ...EMPTY };
  } finally {
    await provider.close?.();
  }
}

/** Returns the shapes of inputs and outputs in the first run, for providers that need the shapes before a model is opened. */
async function shapesOf(
  baseline: Both<Session>,
  { feeds }: Dataset<Feeds>,
): Promise<Both<Shapes> | undefined> {
  const first = await firstFeed(feeds);
  if (first === undefined) return undefined;
  const shapes = async (session: Session) => {
    return { inputs: dimsOf(first), outputs: dimsOf(await session.run(first)) };
  };
  return { original: await shapes(baseline.original), swapped: await shapes(baseline.swapped) };
}

/** Measures a provider on which both models are open, and returns its row. Throws `run-failed`, `aborted`. */
export async function measure(
  provider: Provider,
  models: Both<Session>,
  reference: Both<Session> | undefined,
  dataset: Dataset<Feeds>,
  options: ValidationOptions,
): Promise<ProviderRow> {
  const { signal, latency } = options;
  const feeds = await firstFeed(dataset.feeds);
  const onPairs = (times: Pairs['times']) => options.onPairs?.(provider.name, times);
  const timed = latency === false || feeds === undefined ? undefined : { ...latency, signal, onPairs };
  // The first runs are timed before any other run of these sessions.
  const first =
    timed && feeds && ([await models.original.time(feeds), await models.swapped.time(feeds)] as const);
  const comparison = await compare(models, reference, dataset, signal);
  const kernel: KernelSweep[] = [];
  for (const { activation, type, opset } of kernelsIn(options, models.swapped.retargeted)) {
    kernel.push(await sweep(provider, activation, type, opset, options.session));
  }
  const { original, swapped } = models;
  const native = swapped.runtime.browser === null;
  const both = { original: options.original.model, swapped: options.swapped.model };
  const profiled =
    native && feeds && options.profile === true
      ? await profileBoth(provider, both, feeds, options).catch(problemOf)
      : null;
  const { parting, causes, noteOptions } = await divergences(provider, models, comparison, dataset, options);
  return {
    provider: provider.name,
    status: 'ran',
    reason: null,
    fix: null,
    runtime: swapped.runtime,
    notes: [
      ...new Set([...(original.notes ?? []), ...(swapped.notes ?? []), ...causes]),
      ...(profiled === null || 'original' in profiled ? [] : [`no profile: ${profiled.problem}`]),
    ],
    noteOptions: Object.keys(noteOptions).length === 0 ? undefined : noteOptions,
    retargeted: swapped.retargeted ?? null,
    placement:
      native && feeds && provider.name !== 'cpu' && options.session?.allowFallback === true
        ? {
            original: observed(await observePlacement(provider, both.original.file, feeds, options)),
            swapped: observed(await observePlacement(provider, both.swapped.file, feeds, options)),
          }
        : placementOf(models),
    parting,
    profile: profiled !== null && 'original' in profiled ? profiled : null,
    kernel,
    ...comparison,
    latency:
      timed && feeds ? await measureLatency(original, swapped, [feeds, feeds], { first, ...timed }) : null,
  };
}

/** Returns an error's message, so that a failed profile does not stop the report. Throws `aborted`. */
function problemOf(error: unknown): { readonly problem: string } {
  if (isAborted(error)) throw error;
  return { problem: messageOf(error) };
}

function placementOf({ original, swapped }: Both<Session>): ProviderRow['placement'] {
  if (original.placement === undefined || swapped.placement === undefined) return null;
  return { original: observed(original.placement), swapped: observed(swapped.placement) };
}

function observed({ counts, moved }: Placement) {
  return { counts: { ...counts }, moved: [...moved] };
}

/** Tells whether an element type is one of floats. That of an activation is unknown in a function that several types call. */
const isFloat = (elemType: string): elemType is FloatType => Object.hasOwn(FLOAT_TYPES, elemType);

/** Returns the kernels to sweep: the swapped model's Mish in the forms of onnx-mish, and the original's activations. */
function kernelsIn(
  { original, swapped }: ValidationOptions,
  retargeted: string | undefined,
): { activation: Kernel; type: FloatType; opset: number }[] {
  const mish = swapped.info.mish.flatMap(({ form: own, beta, alpha, elemType }) => {
    const isApproximate = Object.hasOwn(FORMS, own) && FORMS[own as FormName].bound !== undefined;
    const form = (isApproximate ? own : (retargeted ?? own)) as FormName;
    if (!Object.hasOwn(FORMS, form) || !isFloat(elemType)) return []; // 'other', or on integers
    const activation: Kernel =
      alpha === null ? { kind: 'mish', form, beta } : { kind: 'mixture', form, beta, alpha };
    return [{ activation, type: elemType, opset: swapped.info.opset }];
  });
  const before = original.info.kinds.flatMap(({ kind, alpha, elemType }) => {
    const activation: Kernel | undefined =
      kind === 'relu' ? { kind } : kind === 'leakyrelu' && alpha !== null ? { kind, alpha } : undefined;
    return activation === undefined || !isFloat(elemType)
      ? []
      : [{ activation, type: elemType, opset: original.info.opset }];
  });
  return [...mish, ...before];
}
