import { stopIfAborted } from '../base/abort.js';
import { integer } from '../base/plural.js';
import { type DriftMeter, driftMeter } from '../metrics/drift.js';
import { type MomentsMeter, momentsMeter } from '../metrics/moments.js';
import { type ExposedModel, withExposed } from '../providers/exposed-model.js';
import type { Session } from '../providers/provider.js';
import { byteCount, dimsOf, type Tensors } from '../providers/tensor.js';
import { withCopySession } from '../providers/with-session.js';
import type { ModelLayerOptions, SharedTensor } from './layer-options.js';
import type { LayerRow } from './report-schema.js';

/** Compares some tensors of two models in one pass. Returns their rows, and the bytes of the largest run. */
export async function meterLayers(
  part: readonly SharedTensor[],
  options: ModelLayerOptions,
): Promise<{ rows: LayerRow[]; bytes: number }> {
  const { a, session, copies } = options;
  const names = part.map(({ output }) => output);
  const meters = part.map((tensor) => {
    return { tensor, drift: driftMeter(tensor.output), a: momentsMeter(), b: momentsMeter() };
  });
  let bytes = 0;
  await withExposed(a.model, names, copies, ({ file, get }) =>
    withCopySession(file, { provider: a.provider, session }, async (reference) => {
      bytes = await meterRuns(meters, { run: (feed) => reference.run(feed), get }, options);
    }),
  );
  const rows = meters.map((meter): LayerRow => {
    const { n, maxAbs, cosine, sqnr, broken, problem } = meter.drift.result();
    return {
      ...meter.tensor,
      n,
      maxAbs,
      cosine,
      sqnr,
      a: meter.a.result(),
      b: meter.b.result(),
      problem: problem ?? (broken > 0 ? `${integer(broken)} elements are not finite` : null),
    };
  });
  return { rows, bytes };
}

interface LayerMeters {
  readonly tensor: SharedTensor;
  readonly drift: DriftMeter;
  readonly a: MomentsMeter;
  readonly b: MomentsMeter;
}

/** An open model with inner tensors among its outputs. */
interface OpenExposed extends Pick<Session, 'run'>, Pick<ExposedModel, 'get'> {}

/** Runs both models on all feeds, and passes their tensors to the meters. Returns the bytes of the largest run. */
async function meterRuns(
  meters: readonly LayerMeters[],
  reference: OpenExposed,
  { b, feeds, session, signal, copies }: ModelLayerOptions,
): Promise<number> {
  const names = meters.map(({ tensor }) => tensor.output);
  let bytes = 0;
  let want: Tensors | undefined;
  const runReference = async (feed: Tensors) => {
    stopIfAborted(signal);
    const outputs = await reference.run(feed);
    bytes = Math.max(bytes, byteCount(outputs));
    return outputs;
  };
  const [first = {}] = feeds;
  want = await runReference(first);
  const shapes = { inputs: dimsOf(first), outputs: dimsOf(want) };
  await withExposed(b.model, names, copies, ({ file, get }) =>
    withCopySession(file, { provider: b.provider, session: { ...session, shapes } }, async (other) => {
      for (const feed of feeds) {
        want ??= await runReference(feed);
        stopIfAborted(signal);
        const got = await other.run(feed);
        for (const meter of meters) {
          const { output } = meter.tensor;
          const [x, y] = [reference.get(want, output), get(got, output)];
          meter.drift.add(x, y);
          meter.a.add(x);
          meter.b.add(y);
        }
        want = undefined;
      }
    }),
  );
  return bytes;
}
