// The state of the room Fine-tune, and every action that changes it.
import { plural } from '../../../base/plural.js';
import type { Layout } from '../../../data/images.js';
import { DEFAULT_IGNORED_LABEL } from '../../../data/labels.js';
import type { FinetuneEpoch } from '../../../finetune/options.js';
import { likelyLabels } from '../page/labels.js';
import type { ArrayInfo, Doubt, NamedFile, Problem, StepEvent } from '../protocol.js';
import type {
  FinetuneChoice,
  FinetunedModel,
  FinetuneEvent,
  LossEvent,
  ProviderEvent,
  TrainingProvider,
} from '../room-protocol.js';
import { FIRST_PROVIDER } from '../room-protocol.js';

/** Labelled samples as the user gave them. */
export type GivenSamples =
  | {
      readonly kind: 'npz';
      readonly file: NamedFile;
      /** Undefined until the file is read. */
      readonly arrays: readonly ArrayInfo[] | undefined;
      /** Name of the array with the labels; empty until it is chosen. */
      readonly labels: string;
      readonly test: NamedFile | null;
    }
  | { readonly kind: 'images'; readonly files: readonly NamedFile[] }
  | { readonly kind: 'bundled' };

/** Settings as the user typed them. */
export interface Settings {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: string;
  readonly flip: boolean;
  readonly repair: boolean;
  readonly provider: TrainingProvider;
  /** Three numbers each, for images. */
  readonly mean: string;
  readonly std: string;
  /** Factor for arrays. */
  readonly scale: string;
  /** Position of the channels in arrays; empty for the model’s. */
  readonly dataLayout: Layout | '';
  /** Label that does not count, where samples have a label for each place. */
  readonly ignoreLabel: string;
}

/** One training of both arms: in progress, or its results. */
export interface Training {
  /** File of the model that is trained. */
  readonly model: NamedFile | undefined;
  readonly choice: FinetuneChoice;
  /** The samples, and the settings, when the training began. */
  readonly begunWith: Pick<FinetuneState, 'samples' | 'settings'>;
  readonly provider: ProviderEvent | null;
  readonly step: StepEvent;
  /** Epochs of both arms, in the order in which they ended. */
  readonly epochs: readonly FinetuneEpoch[];
  /** Losses in the epoch that each arm has begun. */
  readonly begun: readonly LossEvent[];
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
  readonly result: FinetunedModel | null;
}

/** Place of a problem in the room: beside its cause. */
export type FinetunePlace = 'samples' | 'train' | 'export';

export interface FinetuneState {
  readonly samples: GivenSamples | null;
  readonly settings: Settings;
  readonly training: Training | null;
  /** Doubt about the samples. */
  readonly doubt: Doubt | null;
  readonly problems: Readonly<Partial<Record<FinetunePlace, Problem>>>;
  /** Text for screen readers. */
  readonly announcement: string;
}

/** The ignored label as the field has it first. */
const IGNORED_LABEL = `${DEFAULT_IGNORED_LABEL}`;

export const FINETUNE_START: FinetuneState = {
  samples: null,
  settings: {
    epochs: 6,
    batch: 64,
    rate: '0.001',
    flip: false,
    repair: true,
    provider: FIRST_PROVIDER,
    mean: '0, 0, 0',
    std: '1, 1, 1',
    scale: '1',
    dataLayout: '',
    ignoreLabel: IGNORED_LABEL,
  },
  training: null,
  doubt: null,
  problems: {},
  announcement: '',
};

export type FinetuneAction =
  | { readonly kind: 'samples'; readonly samples: GivenSamples }
  | { readonly kind: 'arrays'; readonly file: NamedFile; readonly arrays: readonly ArrayInfo[] }
  | { readonly kind: 'labels'; readonly labels: string }
  | { readonly kind: 'test'; readonly test: NamedFile | null }
  | { readonly kind: 'settings'; readonly change: Partial<Settings> }
  | {
      readonly kind: 'train';
      readonly model: NamedFile | undefined;
      readonly choice: FinetuneChoice;
      readonly resume: boolean;
    }
  | { readonly kind: 'event'; readonly event: FinetuneEvent }
  | { readonly kind: 'end'; readonly ended: Exclude<Training['ended'], 'no' | 'done'> }
  | { readonly kind: 'result'; readonly result: FinetunedModel }
  | { readonly kind: 'problem'; readonly place: FinetunePlace; readonly problem: Problem }
  | { readonly kind: 'solved'; readonly place: FinetunePlace }
  | { readonly kind: 'model'; readonly model: NamedFile | undefined };

/** Settings that change the samples. */
const CHANGES_SAMPLES = ['mean', 'std', 'scale', 'dataLayout'] as const;

const READY: StepEvent = { kind: 'step', text: 'Getting ready', share: 0, secondsLeft: undefined };

export function reduceFinetune(state: FinetuneState, action: FinetuneAction): FinetuneState {
  const solved = (place: FinetunePlace) => ({ ...state.problems, [place]: undefined });
  switch (action.kind) {
    case 'samples':
      return {
        ...state,
        samples: action.samples,
        problems: {},
        announcement: 'The samples are chosen.',
        doubt: null,
        settings: { ...state.settings, scale: '1', dataLayout: '', ignoreLabel: IGNORED_LABEL },
      };
    case 'arrays':
      if (state.samples?.kind !== 'npz' || state.samples.file !== action.file) return state;
      return {
        ...state,
        samples: { ...state.samples, arrays: action.arrays, labels: likelyLabels(action.arrays) },
        announcement: `${action.file.name} has ${plural(action.arrays.length, 'array')}.`,
      };
    case 'labels':
      if (state.samples?.kind !== 'npz') return state;
      return { ...state, samples: { ...state.samples, labels: action.labels }, problems: solved('train') };
    case 'test':
      if (state.samples?.kind !== 'npz') return state;
      return { ...state, samples: { ...state.samples, test: action.test }, problems: solved('train') };
    case 'settings':
      return {
        ...state,
        settings: { ...state.settings, ...action.change },
        problems: solved('train'),
        doubt: CHANGES_SAMPLES.some((name) => name in action.change) ? null : state.doubt,
      };
    case 'train': {
      const epochs = action.resume ? (state.training?.epochs ?? []) : [];
      const training = {
        model: action.model,
        choice: action.choice,
        begunWith: { samples: state.samples, settings: state.settings },
        provider: null,
        step: READY,
        epochs,
        begun: [],
        ended: 'no',
        result: null,
      } as const;
      return { ...state, training, doubt: null, problems: {}, announcement: 'The training starts.' };
    }
    case 'event':
      return withEvent(state, action.event);
    case 'end': {
      if (state.training === null) return state;
      const announcement = action.ended === 'stopped' ? 'Stopped.' : 'The training failed.';
      const training = { ...state.training, begun: [], ended: action.ended };
      return { ...state, training, announcement };
    }
    case 'result': {
      if (state.training === null) return state;
      const training = { ...state.training, begun: [], ended: 'done', result: action.result } as const;
      return { ...state, training, announcement: action.result.report.conclusion };
    }
    case 'problem':
      return { ...state, problems: { ...state.problems, [action.place]: action.problem } };
    case 'solved':
      return { ...state, problems: solved(action.place) };
    case 'model': // results belong to their model
      if (state.training === null || state.training.model === action.model) return state;
      return { ...state, training: null, doubt: null, problems: {} };
  }
}

/** Returns whether two states train on the same samples, whatever their labels. */
function trainsOnSame(a: Training['begunWith'], b: Training['begunWith']): boolean {
  const filesOf = ({ samples }: Training['begunWith']) =>
    samples?.kind === 'npz' ? samples.file : samples?.kind === 'images' ? samples.files : samples?.kind;
  const hasSame = (name: (typeof CHANGES_SAMPLES)[number]) => a.settings[name] === b.settings[name];
  return filesOf(a) === filesOf(b) && CHANGES_SAMPLES.every(hasSame);
}

function withEvent(state: FinetuneState, event: FinetuneEvent): FinetuneState {
  const { training } = state;
  if (training === null || training.ended !== 'no') return state;
  if (event.kind === 'provider') return { ...state, training: { ...training, provider: event } };
  if (event.kind === 'step') return { ...state, training: { ...training, step: event } };
  if (event.kind === 'doubt') {
    if (!trainsOnSame(training.begunWith, state)) return state;
    return { ...state, doubt: event.doubt, announcement: event.doubt.what };
  }
  if (event.kind === 'loss')
    return { ...state, training: { ...training, begun: [...training.begun, event] } };
  const { kind: _, ...epoch } = event;
  const begun = training.begun.filter(({ arm }) => arm !== epoch.arm);
  // After a stop, epochs may come again.
  const before = training.epochs.filter(
    (one) => one.arm !== epoch.arm || one.epoch.epoch < epoch.epoch.epoch,
  );
  const epochs = [...before, epoch];
  return { ...state, training: { ...training, epochs, begun }, announcement: epochText(epoch) };
}

/** Describes an epoch for screen readers. */
function epochText({ arm, epoch }: FinetuneEpoch): string {
  const { accuracy } = epoch.validation ?? epoch;
  const score = accuracy === null ? `loss ${epoch.loss.toPrecision(3)}` : `${(100 * accuracy).toFixed(1)} %`;
  return `${arm === 'swapped' ? 'Swapped' : 'Original'}, epoch ${epoch.epoch}: ${score}`;
}
