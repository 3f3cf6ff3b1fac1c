// The state of the room Compare, and every action that changes it.
import type { ExperimentReport, Landscape } from '../../../experiment/report-schema.js';
import type { RunEpoch } from '../../../experiment/train-run.js';
import { activationLabel } from '../../../mish/activations.js';
import type { Problem, StepEvent } from '../protocol.js';
import type { CompareChoice, CompareEvent, ProviderEvent, TrainingProvider } from '../room-protocol.js';
import { FIRST_PROVIDER } from '../room-protocol.js';

/** The activations that are compared, as in the paper. */
export const ACTIVATIONS_COMPARED = ['relu', 'leakyrelu', 'swish', 'mish'] as const;

/** Settings as the user chose them. */
export interface CompareSettings {
  readonly beta: number;
  readonly epochs: number;
  readonly seed: number;
  readonly provider: TrainingProvider;
}

/** One comparison: in progress, or its results. */
export interface ActivationComparison {
  readonly choice: CompareChoice;
  readonly provider: ProviderEvent | null;
  readonly step: StepEvent;
  /** Epochs of each activation. */
  readonly epochs: Readonly<Record<string, readonly RunEpoch[]>>;
  readonly landscapes: Readonly<Record<string, Landscape>>;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
  readonly report: ExperimentReport | null;
}

export interface CompareState {
  readonly settings: CompareSettings;
  readonly comparison: ActivationComparison | null;
  readonly problem: Problem | null;
  /** Text for screen readers. */
  readonly announcement: string;
}

export const COMPARE_START: CompareState = {
  settings: { beta: 1, epochs: 20, seed: 0, provider: FIRST_PROVIDER },
  comparison: null,
  problem: null,
  announcement: '',
};

export type CompareAction =
  | { readonly kind: 'settings'; readonly change: Partial<CompareSettings> }
  | { readonly kind: 'start'; readonly choice: CompareChoice; readonly resume: boolean }
  | { readonly kind: 'event'; readonly event: CompareEvent }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly problem: Problem }
  | { readonly kind: 'report'; readonly report: ExperimentReport };

/** Returns the choice for the worker. */
export function compareChoice(settings: CompareSettings): CompareChoice {
  return { ...settings, activations: ACTIVATIONS_COMPARED };
}

const READY: StepEvent = { kind: 'step', text: 'Getting ready', share: 0, secondsLeft: undefined };

export function reduceCompare(state: CompareState, action: CompareAction): CompareState {
  const { comparison } = state;
  switch (action.kind) {
    case 'settings':
      return { ...state, settings: { ...state.settings, ...action.change } };
    case 'start': {
      const before = action.resume ? comparison : null;
      return {
        ...state,
        comparison: {
          choice: action.choice,
          provider: null,
          step: before?.step ?? READY,
          ended: 'no',
          report: null,
          epochs: before?.epochs ?? {},
          landscapes: before?.landscapes ?? {},
        },
        problem: null,
        announcement: 'The training starts.',
      };
    }
    case 'event':
      return comparison === null || comparison.ended !== 'no'
        ? state
        : withEvent(state, comparison, action.event);
    case 'stopped':
      return { ...state, comparison: ended(comparison, 'stopped'), announcement: 'Stopped.' };
    case 'failed':
      return {
        ...state,
        comparison: ended(comparison, 'failed'),
        problem: action.problem,
        announcement: 'The training failed.',
      };
    case 'report': {
      const done = comparison && { ...comparison, ended: 'done' as const, report: action.report };
      return { ...state, comparison: done, announcement: action.report.conclusion };
    }
  }
}

const ended = (comparison: ActivationComparison | null, how: ActivationComparison['ended']) =>
  comparison && { ...comparison, ended: how };

function withEvent(state: CompareState, comparison: ActivationComparison, event: CompareEvent): CompareState {
  const changed = (
    change: Partial<ActivationComparison>,
    announcement = state.announcement,
  ): CompareState => ({
    ...state,
    comparison: { ...comparison, ...change },
    announcement,
  });
  switch (event.kind) {
    case 'provider':
      return changed({ provider: event });
    case 'step':
      return changed({ step: event });
    case 'epoch': {
      const { activation, epoch } = event;
      const before = comparison.epochs[activation] ?? [];
      // After a stop, epochs come again.
      const epochs = [...before.slice(0, epoch.epoch - 1), epoch];
      return changed(
        { epochs: { ...comparison.epochs, [activation]: epochs } },
        epochText(activation, epoch),
      );
    }
    case 'landscape': {
      const { activation, landscape } = event;
      const landscapes = { ...comparison.landscapes, [activation]: landscape };
      return changed({ landscapes }, `The landscape of ${activationLabel(activation)} is there.`);
    }
  }
}

/** Describes an epoch for screen readers. */
function epochText(activation: string, { epoch, test, loss }: RunEpoch): string {
  const accuracy = test?.accuracy;
  const score =
    typeof accuracy === 'number' ? `${(100 * accuracy).toFixed(1)} %` : `loss ${loss.toPrecision(3)}`;
  return `${activationLabel(activation)}, epoch ${epoch}: ${score}`;
}
