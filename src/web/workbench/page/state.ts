// The state of the page, and every action that changes it.

import { integer, plural } from '../../../base/plural.js';
import type { Layout } from '../../../data/images.js';
import { DEFAULT_IGNORED_LABEL } from '../../../data/labels.js';
import type { FormName } from '../../../mish/forms.js';
import type { ValueSummary } from '../../../mish/inspect.js';
import type { Report } from '../../../validate/report-schema.js';
import {
  type ArrayInfo,
  type Doubt,
  type Fit,
  type NamedFile,
  type OpenedModel,
  type OtherActivation,
  PAGE_PROVIDERS,
  type PageProvider,
  type Problem,
  type SiteHistogram,
  type SwapChoice,
  type SwappedModel,
} from '../protocol.js';
import { isSame } from './is-same.js';
import { likelyLabels } from './labels.js';

/** Place of a problem on the page: beside its cause. */
export type ProblemPlace = 'open' | 'fits' | 'swap' | 'feed' | 'run' | 'histogram' | 'export';

export interface Files {
  readonly model: NamedFile;
  readonly external: readonly NamedFile[];
}

/** Inputs of the models as the user chose them; `readFeed` turns them into an `InputChoice` for the worker. */
export interface Feed {
  readonly kind: 'noise' | 'images' | 'npz' | 'bundled';
  readonly seed: number;
  readonly runs: number;
  readonly images: readonly NamedFile[];
  /** Three numbers, as typed. */
  readonly mean: string;
  readonly std: string;
  readonly npz: NamedFile | null;
  /** Arrays of `npz`; undefined until the file is read. */
  readonly arrays: readonly ArrayInfo[] | undefined;
  /** Name of the array with the labels; empty for none. */
  readonly labels: string;
  /** Label that does not count, as typed, where samples have a label for each place. */
  readonly ignoreLabel: string;
  /** Factor for the arrays, as typed. */
  readonly scale: string;
  /** Position of the channels in the arrays; empty for the model’s. */
  readonly dataLayout: Layout | '';
  /** Sizes of symbolic dimensions, by name, as typed. */
  readonly dims: Readonly<Record<string, string>>;
  /** Shapes of inputs whose dimensions have no name, as typed: `1, 3, 224, 224`. */
  readonly shapes: Readonly<Record<string, string>>;
  readonly providers: readonly PageProvider[];
  readonly pairs: number;
}

/** Returns whether two feeds have the same samples; the providers and the number of timed pairs may differ. */
export function isSameSamples(a: Feed, b: Feed): boolean {
  return isSame({ ...a, providers: b.providers, pairs: b.pairs }, b);
}

export type Row = Report['providers'][number];
export type PairTimes = readonly (readonly [original: number, swapped: number])[];

/** One run of both models: in progress, or its results. */
export interface PageRun {
  readonly choice: SwapChoice;
  /** The inputs when the run began. */
  readonly feed: Feed;
  readonly providers: readonly PageProvider[];
  readonly wanted: number;
  readonly step: string;
  readonly pairs: Readonly<Partial<Record<PageProvider, PairTimes>>>;
  readonly rows: readonly Row[];
  readonly report: Report | null;
  readonly ended: 'no' | 'done' | 'stopped' | 'failed';
}

/** Inputs of the site whose curve is shown. */
export interface SiteInput {
  readonly site: number;
  /** Undefined until the inputs are counted. */
  readonly histogram: SiteHistogram | undefined;
}

export interface State {
  /** The name of the file that is being read. */
  readonly opening: string | null;
  readonly files: Files | null;
  readonly model: OpenedModel | null;
  readonly fits: Readonly<Record<'original' | 'swapped', readonly Fit[] | 'asking' | null>>;
  /** Providers that the browser lacks, as far as that is known; they stay from model to model. */
  readonly lacking: readonly Fit[];
  /** Indices into `model.inspection.sites`. */
  readonly chosen: ReadonlySet<number>;
  /** The activation to write; undefined for Mish. */
  readonly to: OtherActivation | undefined;
  /** The activation whose sites are being listed; it becomes `to`, and nothing can be swapped until then. */
  readonly listing: OtherActivation | 'mish' | null;
  readonly form: FormName;
  readonly beta: number;
  readonly leaky: SwapChoice['leaky'];
  /** The site whose curve and histogram are shown. */
  readonly site: number;
  readonly input: SiteInput | null;
  readonly swapping: boolean;
  /** The last swapped model, unless the choice has changed since. */
  readonly swapped: SwappedModel | null;
  readonly feed: Feed;
  /** Doubt about the samples of `feed`. */
  readonly doubt: Doubt | null;
  readonly run: PageRun | null;
  readonly problems: Readonly<Partial<Record<ProblemPlace, Problem>>>;
  /** Text for screen readers. */
  readonly announcement: string;
}

export const START: State = {
  opening: null,
  files: null,
  model: null,
  fits: { original: null, swapped: null },
  lacking: [],
  chosen: new Set(),
  to: undefined,
  listing: null,
  form: 'exp',
  beta: 1,
  leaky: 'mish',
  site: 0,
  input: null,
  swapping: false,
  swapped: null,
  feed: {
    kind: 'noise',
    seed: 0,
    runs: 3,
    images: [],
    mean: '0, 0, 0',
    std: '1, 1, 1',
    npz: null,
    arrays: undefined,
    labels: '',
    ignoreLabel: `${DEFAULT_IGNORED_LABEL}`,
    scale: '1',
    dataLayout: '',
    dims: {},
    shapes: {},
    providers: PAGE_PROVIDERS,
    pairs: 30,
  },
  doubt: null,
  run: null,
  problems: {},
  announcement: '',
};

export type Action =
  | { readonly kind: 'opening'; readonly name: string }
  | {
      readonly kind: 'opened';
      readonly model: OpenedModel;
      /** The activation whose sites `model` lists; undefined for Mish. */
      readonly to: OtherActivation | undefined;
      readonly files: Files;
    }
  | {
      readonly kind: 'fits';
      readonly which: 'original' | 'swapped';
      readonly fits: State['fits']['original'];
    }
  | { readonly kind: 'choose-sites'; readonly sites: readonly number[]; readonly on: boolean }
  | { readonly kind: 'choose'; readonly change: Partial<Pick<State, 'form' | 'beta' | 'leaky'>> }
  | { readonly kind: 'listing'; readonly to: OtherActivation | undefined }
  | { readonly kind: 'write'; readonly to: OtherActivation | undefined; readonly model: OpenedModel }
  | { readonly kind: 'look-at'; readonly site: number }
  | { readonly kind: 'input'; readonly input: SiteInput | null }
  | { readonly kind: 'swapping' }
  | { readonly kind: 'swapped'; readonly choice: SwapChoice; readonly swapped: SwappedModel }
  | { readonly kind: 'feed'; readonly change: Partial<Feed> }
  /** A doubt about the samples of a feed, which may be another one by now. */
  | { readonly kind: 'doubt'; readonly doubt: Doubt; readonly feed: Feed }
  | { readonly kind: 'run'; readonly run: PageRun }
  | {
      readonly kind: 'run-more';
      readonly change: (run: PageRun) => Partial<PageRun>;
      readonly announcement?: string;
    }
  | { readonly kind: 'solved'; readonly place: ProblemPlace }
  | { readonly kind: 'problem'; readonly place: ProblemPlace; readonly problem: Problem };

/** Returns the options of a swap with the current choice. */
export function choiceOf({ to, form, beta, leaky, chosen }: State): SwapChoice {
  return { ...(to && { to }), form, beta, leaky, sites: [...chosen].sort((a, b) => a - b) };
}

/** Returns the chosen providers, without those that the browser lacks. */
export function providersOf({ feed, lacking }: Pick<State, 'feed' | 'lacking'>): PageProvider[] {
  return feed.providers.filter((provider) => !lacking.some((fit) => fit.provider === provider));
}

/** Returns whether a model takes the images that the page brings along. */
export function takesBundled(inputs: readonly ValueSummary[]): boolean {
  const [input, ...others] = inputs;
  return others.length === 0 && input?.dims?.length === 4 && input.dims.slice(1).join() === '1,28,28';
}

const without = (problems: State['problems'], ...places: ProblemPlace[]): State['problems'] =>
  Object.fromEntries(Object.entries(problems).filter(([place]) => !places.includes(place as ProblemPlace)));

/** Removes the swapped model, because the choice has changed. */
const unswapped = (state: State): State => ({
  ...state,
  swapped: null,
  fits: { ...state.fits, swapped: null },
  problems: without(state.problems, 'swap'),
});

export function reduce(state: State, action: Action): State {
  switch (action.kind) {
    case 'opening':
      return {
        ...state,
        opening: action.name,
        problems: without(state.problems, 'open'),
        announcement: `Reading ${action.name}`,
      };
    case 'opened':
      return opened(state, action);
    case 'fits':
      return {
        ...state,
        fits: { ...state.fits, [action.which]: action.fits },
        lacking:
          action.fits === null || action.fits === 'asking'
            ? state.lacking
            : action.fits.filter(({ available }) => !available),
        problems: action.fits === 'asking' ? without(state.problems, 'fits') : state.problems,
      };
    case 'choose-sites': {
      const chosen = new Set(state.chosen);
      for (const site of action.sites) {
        if (action.on) chosen.add(site);
        else chosen.delete(site);
      }
      const announcement = `${integer(chosen.size)} of ${plural(state.model?.inspection.sites.length ?? 0, 'site')} chosen`;
      return { ...unswapped(state), chosen, announcement };
    }
    case 'choose':
      return { ...unswapped(state), ...action.change };
    case 'listing':
      return { ...state, listing: action.to ?? 'mish' };
    case 'write':
      return written(state, action.to, action.model);
    case 'look-at':
      return { ...state, site: action.site, input: null, problems: without(state.problems, 'histogram') };
    case 'input':
      return {
        ...state,
        input: action.input,
        problems: action.input === null ? state.problems : without(state.problems, 'histogram'),
        announcement: action.input === null ? state.announcement : announceInput(action.input),
      };
    case 'swapping':
      return {
        ...state,
        swapping: true,
        problems: without(state.problems, 'swap'),
        announcement: 'Swapping',
      };
    case 'swapped':
      return swapped(state, action);
    case 'feed':
      return fed(state, { ...state.feed, ...action.change });
    case 'doubt':
      if (!isSameSamples(action.feed, state.feed)) return state;
      return { ...state, doubt: action.doubt, announcement: action.doubt.what };
    case 'run':
      return {
        ...state,
        run: action.run,
        problems: without(state.problems, 'run', 'export'),
        announcement: action.run.step,
      };
    case 'run-more':
      if (state.run === null) return state;
      return {
        ...state,
        run: { ...state.run, ...action.change(state.run) },
        announcement: action.announcement ?? state.announcement,
      };
    case 'solved':
      return { ...state, problems: without(state.problems, action.place) };
    case 'problem':
      return failed(state, action.place, action.problem);
  }
}

/** Takes inputs. A doubt and a histogram are about their samples. */
function fed(state: State, feed: Feed): State {
  const about = isSameSamples(feed, state.feed) ? {} : { doubt: null, input: null };
  return { ...state, ...about, feed, problems: without(state.problems, 'run', 'histogram', 'feed') };
}

/** Takes the swapped model, unless the choice has changed while it was made. */
function swapped(state: State, { choice, swapped }: Extract<Action, { kind: 'swapped' }>): State {
  if (!isSame(choice, choiceOf(state))) return { ...state, swapping: false };
  const announcement = `${plural(swapped.report.sites.length, 'site')} swapped. ${swapped.name} is ready to download.`;
  return { ...state, swapping: false, swapped, announcement };
}

function written(state: State, to: State['to'], model: OpenedModel): State {
  const { sites } = model.inspection;
  const announcement = `${plural(sites.length, 'site')} to swap.`;
  return {
    ...unswapped(state),
    chosen: new Set(sites.keys()),
    site: 0,
    input: null,
    to,
    listing: null,
    model,
    announcement,
  };
}

function announceInput({ histogram }: SiteInput): string {
  return histogram === undefined ? 'Counting the inputs of this site' : 'The histogram is below the curve.';
}

function opened(state: State, { model, to, files }: Extract<Action, { kind: 'opened' }>): State {
  const { sites, inputs } = model.inspection;
  const same = state.files?.model === files.model; // more external data for the model that is open
  // Numbers in external data tell what nodes compute, so that there may be other sites.
  const before = state.model?.inspection.sites ?? [];
  const hasSameSites = isSame(
    before.map(({ output }) => output),
    sites.map(({ output }) => output),
  );
  const { kind, arrays = [], labels } = state.feed;
  const names = inputs.map(({ name }) => name);
  return {
    ...START,
    lacking: state.lacking,
    ...(same ? { to, form: state.form, beta: state.beta, leaky: state.leaky } : { form: state.form }),
    ...(same && to === state.to && hasSameSites
      ? { chosen: state.chosen, site: state.site }
      : { chosen: new Set(sites.keys()) }),
    feed: {
      ...state.feed,
      ...(same ? {} : { dims: {}, shapes: {} }),
      kind: kind === 'bundled' && !takesBundled(inputs) ? START.feed.kind : kind,
      labels: names.includes(labels) ? likelyLabels(arrays, names) : labels,
    },
    files,
    model,
    announcement: `${model.name} is open: ${plural(sites.length, 'site')} to swap.`,
  };
}

function failed(state: State, place: ProblemPlace, problem: Problem): State {
  return {
    ...state,
    problems: { ...state.problems, [place]: problem },
    ...(place === 'open' ? { opening: null } : {}),
    ...(place === 'swap' ? { swapping: false, listing: null } : {}),
    ...(place === 'histogram' ? { input: null } : {}),
  };
}
