import { stopIfAborted } from '../../base/abort.js';
import { ownProperty } from '../../base/own.js';
import type { Feeds } from '../../data/dataset.js';
import { type ExposedModel, withExposed } from '../../providers/exposed-model.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { byteCount, type Tensor } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { inPasses, type PassLimits } from '../../validate/tensor-passes.js';

/** A tensor of the main graph, and a function that returns its meter. */
export interface MeasuredTensor<Meter extends TensorMeter> {
  /** Name of the tensor, such as the input of an activation. */
  readonly input: string;
  /** Whether the tensor is an input of the model. */
  readonly fed: boolean;
  readonly meter: () => Meter;
}

/** A meter of a tensor over several runs. */
export interface TensorMeter {
  add(tensor: Tensor | undefined): void;
}

/** A tensor's meter after all runs with the dimensions of the first run, or the reason why there is none. */
export type MeterResult<Meter> =
  | { readonly why: string }
  | { readonly why?: undefined; readonly meter: Meter; readonly dims: readonly number[] };

type MeterOf<Place extends MeasuredTensor<TensorMeter>> = ReturnType<Place['meter']>;

export interface MeasureTensorsOptions extends PassLimits {
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/**
 * Runs a model on samples and passes tensors of its main graph to their meters. A few tensors at a time become outputs of
 * copies of the model. Throws `aborted`, and what the provider throws, except `run-failed`.
 */
export async function measureTensors<Place extends MeasuredTensor<TensorMeter>>(
  places: readonly Place[],
  { feeds, runs }: { readonly feeds: Feeds; readonly runs: number },
  model: EditableModel,
  options: MeasureTensorsOptions & OnProvider,
): Promise<Map<Place, MeterResult<MeterOf<Place>>>> {
  const { provider, session, signal, onProgress } = options;
  const results = new Map<Place, MeterResult<MeterOf<Place>>>();
  let at = 0;
  const ran = (count: number, run: number) => onProgress?.(at * runs + count * run, places.length * runs);
  const work = { model, feeds, provider, session, signal, ran };
  await inPasses(places, options, {
    before: (done) => {
      at = done;
    },
    run: (part) => runPart(part, work, results),
    failed: (place, why) => void results.set(place, { why }),
  });
  return results;
}

/** Everything that a pass needs besides its places. */
interface Work extends OnProvider {
  readonly model: EditableModel;
  readonly feeds: Feeds;
  readonly session: SessionOptions | undefined;
  readonly signal: AbortSignal | undefined;
  /** Receives the numbers of places and of finished runs after each run of a pass. */
  readonly ran: (places: number, runs: number) => void;
}

/** Measures some places. Returns the bytes of the largest run. */
async function runPart<Place extends MeasuredTensor<TensorMeter>>(
  part: readonly Place[],
  work: Work,
  results: Map<Place, MeterResult<MeterOf<Place>>>,
): Promise<number> {
  const { model, feeds, signal, ran } = work;
  const inside = [...new Set(part.filter(({ fed }) => !fed).map(({ input }) => input))];
  const rows = part.map((place) => ({
    place,
    meter: place.meter() as MeterOf<Place>,
    dims: undefined as readonly number[] | undefined,
  }));
  let largest = 0;
  const measure = (exposed: ExposedModel) =>
    withSession(exposed.file, work, async (opened) => {
      let runs = 0;
      for await (const feed of feeds) {
        stopIfAborted(signal);
        const outputs = await opened.run(feed);
        largest = Math.max(largest, byteCount(outputs));
        for (const row of rows) {
          const { input, fed } = row.place;
          const tensor = fed ? ownProperty(feed, input) : exposed.get(outputs, input);
          row.meter.add(tensor);
          row.dims ??= tensor?.dims;
        }
        ran(part.length, ++runs);
      }
    });
  await withExposed(model, inside, undefined, measure);
  for (const { place, meter, dims } of rows) {
    results.set(place, dims === undefined ? { why: 'no run returned the tensor' } : { meter, dims });
  }
  return largest;
}
