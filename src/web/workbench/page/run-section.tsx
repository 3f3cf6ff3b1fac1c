import type { ValueSummary } from '../../../mish/inspect.js';
import { type OpenedModel, PAGE_PROVIDERS, type PageProvider } from '../protocol.js';
import { named, size } from './files.js';
import {
  Choice,
  LabelledField,
  NumberField,
  type Parts,
  PROVIDER_NAMES,
  ProblemNote,
  TextField,
} from './parts.js';
import { readFeed, rgbProblem, shapeProblem, sizeProblem, symbolsOf, unshaped } from './shapes.js';
import type { Feed, State } from './state.js';

/** Shows the choice of inputs and providers, and the button that runs both models. */
export function RunSection({ state, dispatch, actions, model }: Parts & { readonly model: OpenedModel }) {
  const { feed, run, swapping } = state;
  const change = (change: Partial<Feed>) => dispatch({ kind: 'feed', change });
  const running = run?.ended === 'no';
  const why = whyNotRun(state, model);
  return (
    <section class="card" aria-labelledby="run-title">
      <h2 id="run-title">Run side by side</h2>
      <ProviderBoxes feed={feed} change={change} />
      <Choice
        name="feed"
        label="Inputs"
        value={feed.kind}
        options={[
          ['noise', 'Noise'],
          ['images', 'Images'],
          ['npz', 'An .npz'],
        ]}
        onChoice={(kind) => change({ kind })}
      />
      <div class="fields">
        <FeedFields feed={feed} change={change} />
        <ShapeFields feed={feed} change={change} inputs={model.inspection.inputs} />
        <NumberField
          id="pairs"
          label="Timed pairs of runs"
          value={feed.pairs}
          least={1}
          most={10_000}
          onNumber={(pairs) => change({ pairs })}
        />
      </div>
      <div class="bar">
        <button
          type="button"
          class="main"
          disabled={why !== undefined || running || swapping}
          aria-describedby={why === undefined ? undefined : 'run-why'}
          onClick={() => actions.run()}
        >
          Run both
        </button>
        <button type="button" disabled={!running} onClick={() => actions.stop()}>
          Stop
        </button>
      </div>
      {why !== undefined && (
        <p class="quiet" id="run-why">
          {why}
        </p>
      )}
      {running && <p class="step">{run.step}</p>}
      {run?.ended === 'stopped' && <p class="step">Stopped. The results so far are below.</p>}
      <ProblemNote problem={state.problems.run} />
    </section>
  );
}

/** Returns what the user has to do before both models can run. */
function whyNotRun({ feed, chosen }: State, model: OpenedModel): string | undefined {
  if (model.missing.length > 0) return `To run the model, give ${model.missing.join(', ')} as well.`;
  if (chosen.size === 0) return 'Choose a site to swap.';
  if (feed.providers.length === 0) return 'Choose a provider.';
  if (readFeed(feed, model.inspection.inputs) === undefined) return 'Fill in the inputs of the models.';
  return undefined;
}

/** Properties of a group of fields. */
interface FieldGroup {
  readonly feed: Feed;
  readonly change: (change: Partial<Feed>) => void;
}

/** Shows a box to tick for each provider. */
function ProviderBoxes({ feed, change }: FieldGroup) {
  const choose = (provider: PageProvider, on: boolean) => {
    const providers = PAGE_PROVIDERS.filter((one) => (one === provider ? on : feed.providers.includes(one)));
    change({ providers });
  };
  return (
    <fieldset class="choice">
      <legend>On</legend>
      <div>
        {PAGE_PROVIDERS.map((provider) => (
          <label key={provider}>
            <input
              type="checkbox"
              checked={feed.providers.includes(provider)}
              onChange={({ currentTarget: { checked } }) => choose(provider, checked)}
            />
            <span>{PROVIDER_NAMES[provider]}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Shows a field for each size and shape that the model leaves open. */
function ShapeFields({ feed, change, inputs }: FieldGroup & { readonly inputs: readonly ValueSummary[] }) {
  return (
    <>
      {symbolsOf(inputs).map((symbol, index) => (
        <TextField
          key={symbol}
          id={`dim-${index}`}
          label={`Size of ${symbol}`}
          numeric
          value={feed.dims[symbol] ?? ''}
          problem={sizeProblem(feed.dims[symbol] ?? '')}
          onText={(text) => change({ dims: { ...feed.dims, [symbol]: text } })}
        />
      ))}
      {unshaped(inputs).map(({ name, dims }, index) => (
        <TextField
          key={name}
          id={`shape-${index}`}
          label={`Shape of ${name}`}
          value={feed.shapes[name] ?? ''}
          hint={dims === undefined ? 'such as 1, 3, 224, 224' : dims.map((dim) => dim ?? '?').join(', ')}
          problem={feed.shapes[name] ? shapeProblem(feed.shapes[name] ?? '') : undefined}
          onText={(text) => change({ shapes: { ...feed.shapes, [name]: text } })}
        />
      ))}
    </>
  );
}

/** Shows the fields of the chosen kind of inputs. */
function FeedFields({ feed, change }: FieldGroup) {
  if (feed.kind === 'noise') {
    return (
      <>
        <NumberField
          id="seed"
          label="Seed"
          value={feed.seed}
          least={0}
          most={2 ** 32 - 1}
          onNumber={(seed) => change({ seed })}
        />
        <NumberField
          id="runs"
          label="Samples"
          value={feed.runs}
          least={1}
          most={1000}
          onNumber={(runs) => change({ runs })}
        />
      </>
    );
  }
  if (feed.kind === 'npz') {
    return (
      <LabelledField
        id="npz"
        label="Arrays named as the inputs"
        hint={
          feed.npz === null
            ? 'an .npz, or an .npy for one input'
            : `${feed.npz.name}, ${size(feed.npz.blob.size)}`
        }
      >
        <input
          id="npz"
          type="file"
          accept=".npz,.npy"
          aria-describedby="npz-note"
          onChange={({ currentTarget }) => change({ npz: named(currentTarget.files)[0] ?? null })}
        />
      </LabelledField>
    );
  }
  return (
    <>
      <LabelledField
        id="images"
        label="Images"
        hint={feed.images.length === 0 ? 'one or more' : `${feed.images.length} chosen`}
      >
        <input
          id="images"
          type="file"
          accept="image/*"
          multiple
          aria-describedby="images-note"
          onChange={({ currentTarget }) => change({ images: named(currentTarget.files) })}
        />
      </LabelledField>
      <TextField
        id="mean"
        label="Mean of pixels, 0 to 1"
        value={feed.mean}
        problem={rgbProblem(feed.mean)}
        onText={(mean) => change({ mean })}
      />
      <TextField
        id="std"
        label="Standard deviation"
        value={feed.std}
        problem={rgbProblem(feed.std)}
        onText={(std) => change({ std })}
      />
    </>
  );
}
