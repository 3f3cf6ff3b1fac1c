// The state of the room Repair, and every action that changes it.
import type { Ranking } from '../../../calibrate/select/ranking.js';
import { concludeRanking } from '../../../render/ranking-figures.js';
import type { DoubtEvent, NamedFile, Problem, StepEvent } from '../protocol.js';
import type { RankEvent, RepairChoice, RepairedModel } from '../repair-protocol.js';

export interface RepairSettings {
  /** Whether each site’s β follows from its inputs. */
  readonly sharpen: boolean;
  readonly steps: boolean;
}

/** A work of the room. */
export type RepairWork = 'calibrate' | 'rank';

/** The last work: in progress, or ended. */
export interface RepairRun {
  readonly work: RepairWork;
  /** File of the model. */
  readonly model: NamedFile | undefined;
  readonly choice: RepairChoice;
  readonly step: StepEvent;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
}

/** Place of a problem in the room: beside its cause. */
export type RepairPlace = 'samples' | RepairWork | 'export';

export interface RepairState {
  readonly settings: RepairSettings;
  readonly run: RepairRun | null;
  readonly repaired: { readonly choice: RepairChoice; readonly result: RepairedModel } | null;
  readonly ranked: { readonly choice: RepairChoice; readonly ranking: Ranking } | null;
  readonly problems: Readonly<Partial<Record<RepairPlace, Problem>>>;
  /** Text for screen readers. */
  readonly announcement: string;
}

export const REPAIR_START: RepairState = {
  settings: { sharpen: true, steps: true },
  run: null,
  repaired: null,
  ranked: null,
  problems: {},
  announcement: '',
};

export type RepairAction =
  | { readonly kind: 'settings'; readonly change: Partial<RepairSettings> }
  | {
      readonly kind: 'start';
      readonly work: RepairWork;
      readonly model: NamedFile | undefined;
      readonly choice: RepairChoice;
      /** Whether earlier figures stay. */
      readonly resume: boolean;
    }
  | { readonly kind: 'event'; readonly event: Exclude<RankEvent, DoubtEvent> }
  | { readonly kind: 'repaired'; readonly result: RepairedModel }
  | { readonly kind: 'ranked'; readonly ranking: Ranking }
  | { readonly kind: 'end'; readonly ended: 'stopped' | 'failed' }
  | { readonly kind: 'problem'; readonly place: RepairPlace; readonly problem: Problem }
  | { readonly kind: 'solved'; readonly place: RepairPlace }
  /** The samples or their changes are other ones. */
  | { readonly kind: 'samples' }
  | { readonly kind: 'model'; readonly model: NamedFile | undefined };

const READY: StepEvent = { kind: 'step', text: 'Getting ready', share: 0, secondsLeft: undefined };

export function reduceRepair(state: RepairState, action: RepairAction): RepairState {
  const { run } = state;
  switch (action.kind) {
    case 'settings':
      return { ...withoutFailures(state), settings: { ...state.settings, ...action.change } };
    case 'samples':
      return withoutFailures(state);
    case 'start': {
      const { kind: _, resume, ...begun } = action;
      const earlier = action.work === 'calibrate' ? { repaired: null } : resume ? {} : { ranked: null };
      const announcement = action.work === 'calibrate' ? 'The repair starts.' : 'The ranking starts.';
      return {
        ...state,
        ...earlier,
        problems: {},
        announcement,
        run: { ...begun, step: READY, ended: 'no' },
      };
    }
    case 'event':
      if (run === null || run.ended !== 'no') return state;
      if (action.event.kind === 'step') return { ...state, run: { ...run, step: action.event } };
      return { ...state, ranked: { choice: run.choice, ranking: action.event.ranking } };
    case 'repaired': {
      if (run === null) return state;
      const { choice } = run;
      const announcement = `The repair is done. ${action.result.name} is ready to download.`;
      const repaired = { choice, result: action.result };
      return { ...state, run: { ...run, ended: 'done' }, repaired, announcement };
    }
    case 'ranked': {
      if (run === null) return state;
      const { ranking } = action;
      const ranked = { choice: run.choice, ranking };
      return { ...state, run: { ...run, ended: 'done' }, ranked, announcement: concludeRanking(ranking) };
    }
    case 'end': {
      if (run === null) return state;
      const announcement = action.ended === 'stopped' ? 'Stopped.' : `The ${nameOf(run.work)} failed.`;
      return { ...state, run: { ...run, ended: action.ended }, announcement };
    }
    case 'problem':
      return { ...state, problems: { ...state.problems, [action.place]: action.problem } };
    case 'solved':
      return { ...state, problems: { ...state.problems, [action.place]: undefined } };
    case 'model': // results belong to their model
      if (run === null || run.model === action.model) return state;
      return { ...REPAIR_START, settings: state.settings };
  }
}

/** Removes the problems of earlier works, which belong to other samples or settings. */
function withoutFailures(state: RepairState): RepairState {
  const { calibrate: _, rank: __, ...problems } = state.problems;
  return { ...state, problems };
}

const nameOf = (work: RepairWork) => (work === 'calibrate' ? 'repair' : 'ranking');
