import { type OpenedModel, PAGE_PROVIDERS, type PageProvider } from '../protocol.js';
import { InputFields } from './input-fields.js';
import { NumberField, type Parts, PROVIDER_NAMES, ProblemNote } from './parts.js';
import { readFeed } from './shapes.js';
import { type Feed, providersOf, type State } from './state.js';
import { WorkBar, WorkButton } from './work-bar.js';

/** Shows the choice of inputs and providers, and the button that runs both models. */
export function RunSection({ state, dispatch, actions, model }: Parts & { readonly model: OpenedModel }) {
  const { feed, run, swapping, listing } = state;
  const change = (change: Partial<Feed>) => dispatch({ kind: 'feed', change });
  const running = run?.ended === 'no';
  const why = whyNotRun(state, model);
  return (
    <section class="card" aria-labelledby="run-title">
      <h2 id="run-title">Run side by side</h2>
      <ProviderBoxes state={state} change={change} />
      <InputFields id="run" state={state} dispatch={dispatch} actions={actions} model={model}>
        <NumberField
          id="pairs"
          label="Timed pairs of runs"
          value={feed.pairs}
          least={1}
          most={10_000}
          onNumber={(pairs) => change({ pairs })}
        />
      </InputFields>
      <WorkBar running={running} onStop={() => actions.stop()}>
        <WorkButton
          main
          off={why !== undefined || running || swapping || listing !== null}
          why={why === undefined ? undefined : 'run-why'}
          onPress={() => actions.run()}
        >
          Run both
        </WorkButton>
      </WorkBar>
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
function whyNotRun(state: State, model: OpenedModel): string | undefined {
  const { feed, chosen } = state;
  if (model.missing.length > 0) return `To run the model, give ${model.missing.join(', ')} as well.`;
  if (chosen.size === 0) return 'Choose a site to swap.';
  if (providersOf(state).length === 0) return 'Choose a provider.';
  if (readFeed(feed, model.inspection.inputs) === undefined) return 'Fill in the inputs of the models.';
  return undefined;
}

/** Shows a box to tick for each provider; one that the browser lacks is off, with the reason. */
function ProviderBoxes({
  state,
  change,
}: {
  readonly state: State;
  readonly change: (change: Partial<Feed>) => void;
}) {
  const { feed, lacking } = state;
  const chosen = providersOf(state);
  const choose = (provider: PageProvider, on: boolean) => {
    const providers = PAGE_PROVIDERS.filter((one) => (one === provider ? on : feed.providers.includes(one)));
    change({ providers });
  };
  const isLacking = (provider: PageProvider) => lacking.some((fit) => fit.provider === provider);
  return (
    <fieldset class="choice">
      <legend>Run on</legend>
      <div>
        {PAGE_PROVIDERS.map((provider) => (
          <label key={provider}>
            <input
              type="checkbox"
              checked={chosen.includes(provider)}
              disabled={isLacking(provider)}
              aria-describedby={isLacking(provider) ? `lacks-${provider}` : undefined}
              onChange={({ currentTarget: { checked } }) => choose(provider, checked)}
            />
            <span>{PROVIDER_NAMES[provider]}</span>
          </label>
        ))}
      </div>
      {lacking.map(({ provider, reason }) => (
        <p class="quiet" id={`lacks-${provider}`} key={provider}>
          {PROVIDER_NAMES[provider]} is off: {reason ?? 'the browser lacks it'}.
        </p>
      ))}
    </fieldset>
  );
}
