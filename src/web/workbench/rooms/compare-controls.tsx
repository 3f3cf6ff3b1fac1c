import { useMemo } from 'preact/hooks';
import { Legend, type Line, LineChart } from '../page/chart.js';
import { abscissae, curves } from '../page/curves.js';
import { isSame } from '../page/is-same.js';
import { NumberField } from '../page/parts.js';
import { SharpnessSlider } from '../page/sharpness-slider.js';
import { WorkBar, WorkButton } from '../page/work-bar.js';
import type { CompareActions } from './compare-actions.js';
import type { CompareAction, CompareSettings, CompareState } from './compare-state.js';
import { compareChoice } from './compare-state.js';
import { ProviderChoice } from './training-providers.js';
import { TrainingStatus } from './training-status.js';

const LINES: readonly Line[] = [
  { label: 'ReLU', colour: '--line-1', width: 1.5 },
  { label: 'LeakyReLU', colour: '--line-2', width: 1.5, dash: [7, 4] },
  { label: 'Swish', colour: '--line-3', width: 1.5, dash: [2, 3] },
  { label: 'Mish', colour: '--accent', width: 3 },
];

/** Shows the activations, the settings, the buttons and the progress. */
export function CompareControls(props: {
  readonly compare: CompareState;
  readonly dispatch: (action: CompareAction) => void;
  readonly actions: CompareActions;
}) {
  const { compare, dispatch, actions } = props;
  const { settings, comparison } = compare;
  const { beta } = settings;
  const change = (change: Partial<CompareSettings>) => dispatch({ kind: 'settings', change });
  const running = comparison?.ended === 'no';
  const old = comparison !== null && !isSame(comparison.choice, compareChoice(settings));
  const data = useMemo(() => {
    const { xs, relu, leaky, swish, written } = curves(abscissae(), { beta, alpha: 0.01, leak: 0 });
    return [xs, relu, leaky, swish, written];
  }, [beta]);
  return (
    <div class="pair">
      <section class="card" aria-labelledby="activations-title">
        <h2 id="activations-title">The activations</h2>
        <LineChart
          label={`ReLU, LeakyReLU, Swish and Mish with sharpness ${beta} from x = -4 to 4.`}
          lines={LINES}
          data={data}
          height={220}
          range={[-0.6, 4]}
        />
        <Legend lines={LINES} />
        <SharpnessSlider id="compare-beta" beta={beta} onBeta={(chosen) => change({ beta: chosen })} />
      </section>
      <section class="card" aria-labelledby="experiment-title">
        <h2 id="experiment-title">Experiment</h2>
        <div class="fields">
          <NumberField
            id="compare-epochs"
            label="Epochs"
            value={settings.epochs}
            least={1}
            most={500}
            onNumber={(epochs) => change({ epochs })}
          />
          <NumberField
            id="compare-seed"
            label="Seed"
            value={settings.seed}
            least={0}
            most={2 ** 31}
            onNumber={(seed) => change({ seed })}
          />
        </div>
        <ProviderChoice
          name="compares-on"
          value={settings.provider}
          onChoice={(provider) => change({ provider })}
        />
        <WorkBar
          running={running}
          onStop={() => actions.stop()}
          resume={
            comparison?.ended === 'stopped' ? { off: old, onPress: () => actions.start(true) } : undefined
          }
        >
          <WorkButton main off={running} onPress={() => actions.start()}>
            Watch them learn
          </WorkButton>
        </WorkBar>
        {old && <p class="quiet">The results below belong to an earlier choice.</p>}
        {comparison !== null && <TrainingStatus {...comparison} label="Training with each activation" />}
      </section>
    </div>
  );
}
