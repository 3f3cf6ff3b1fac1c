import { isSame } from '../page/is-same.js';
import { NumberField, TextField } from '../page/parts.js';
import type { State } from '../page/state.js';
import { WorkBar, WorkButton } from '../page/work-bar.js';
import { finetuneChoice, rateProblem } from './finetune-actions.js';
import type { FinetuneParts } from './finetune-parts.js';
import type { FinetuneState, Settings } from './finetune-state.js';
import { ProviderChoice } from './training-providers.js';
import { TrainingStatus } from './training-status.js';

/** Shows the settings of the training, its buttons and its progress. */
export function FinetuneSettings({
  finetune,
  dispatch,
  actions,
  page,
}: FinetuneParts & { readonly page: State }) {
  const { settings, training } = finetune;
  const change = (change: Partial<Settings>) => dispatch({ kind: 'settings', change });
  const running = training?.ended === 'no';
  const why = whyNotTrain(finetune, page);
  const old = training !== null && !isSame(finetuneChoice(finetune, page), training.choice);
  return (
    <section class="card" aria-labelledby="settings-title">
      <h2 id="settings-title">Training</h2>
      <SettingFields settings={settings} change={change} />
      <WorkBar
        running={running}
        onStop={() => actions.stop()}
        resume={
          training?.ended === 'stopped'
            ? { off: old || training.epochs.length === 0, onPress: () => actions.train(true) }
            : undefined
        }
      >
        <WorkButton
          main
          off={why !== undefined || running}
          why={why === undefined ? undefined : 'train-why'}
          onPress={() => actions.train()}
        >
          Train both
        </WorkButton>
      </WorkBar>
      {why !== undefined && (
        <p class="quiet" id="train-why">
          {why}
        </p>
      )}
      {old && <p class="quiet">The results below belong to an earlier choice.</p>}
      {training !== null && <TrainingStatus {...training} label="Training of both models" />}
    </section>
  );
}

/** Shows the fields of the settings. */
function SettingFields(props: {
  readonly settings: Settings;
  readonly change: (change: Partial<Settings>) => void;
}) {
  const { settings, change } = props;
  return (
    <>
      <div class="fields">
        <NumberField
          id="epochs"
          label="Epochs"
          value={settings.epochs}
          least={1}
          most={1000}
          onNumber={(epochs) => change({ epochs })}
        />
        <TextField
          id="rate"
          label="Learning rate"
          value={settings.rate}
          problem={rateProblem(settings.rate)}
          hint="lower for few samples"
          onText={(rate) => change({ rate })}
        />
        <NumberField
          id="batch"
          label="Samples in a step"
          value={settings.batch}
          least={1}
          most={4096}
          onNumber={(batch) => change({ batch })}
        />
      </div>
      <fieldset class="choice">
        <legend>Also</legend>
        <div>
          <Box label="repair the swap first" on={settings.repair} onChoice={(repair) => change({ repair })} />
          <Box label="mirror images at random" on={settings.flip} onChoice={(flip) => change({ flip })} />
        </div>
      </fieldset>
      <ProviderChoice
        name="trains-on"
        value={settings.provider}
        onChoice={(provider) => change({ provider })}
      />
    </>
  );
}

/** Returns what the user has to do before the training. */
function whyNotTrain({ samples, settings }: FinetuneState, page: State): string | undefined {
  const { model, chosen } = page;
  if (model === null) return 'Give a model.';
  if (model.missing.length > 0) return `Give ${model.missing.join(', ')} as well.`;
  if (model.inspection.sites.length > 0 && chosen.size === 0)
    return 'Choose a site in the room Swap and run.';
  if (samples === null || (samples.kind === 'npz' && samples.labels === ''))
    return 'Give samples with labels.';
  return finetuneChoice({ samples, settings }, page) === undefined ? 'Fill in the fields above.' : undefined;
}

function Box(props: {
  readonly label: string;
  readonly on: boolean;
  readonly onChoice: (on: boolean) => void;
}) {
  return (
    <label>
      <input
        type="checkbox"
        checked={props.on}
        onChange={({ currentTarget }) => props.onChoice(currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}
