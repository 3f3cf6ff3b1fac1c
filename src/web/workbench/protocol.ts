// Messages between the workbench's page and its worker (by comlink). The worker holds the model, and the page shows
// it.

import type { ImageOptions, Layout } from '../../data/images.js';
import type { TensorType } from '../../data/samples.js';
import type { Histogram } from '../../metrics/histogram.js';
import type { ReplacementName } from '../../mish/activation-kinds.js';
import type { FormName } from '../../mish/forms.js';
import type { Inspection } from '../../mish/inspect.js';
import type { SwapReport } from '../../mish/results.js';
import { WEB_PROVIDERS, type WebProvider } from '../../providers/web-providers.js';
import type { Report } from '../../validate/report-schema.js';

/** The execution providers of a page. */
export const PAGE_PROVIDERS = WEB_PROVIDERS;
export type PageProvider = WebProvider;

/** A file that the user dropped or chose, for example external data. */
export interface NamedFile {
  readonly name: string;
  readonly blob: Blob;
}

/**
 * The model that `onnx-mish ui model.onnx` was started with: JSON at `HANDED_PATH` beside the page. It exists only
 * when the page's URL ends with `HANDED_HASH`. Its URLs are relative to the page.
 */
export interface Handed {
  readonly model: { readonly name: string; readonly url: string };
  readonly external: readonly { readonly name: string; readonly url: string }[];
}
export const HANDED_PATH = 'model.json';
export const HANDED_HASH = '#model';

/** A problem with advice: the fields of an `OnnxMishError` in a worker. */
export interface Problem {
  readonly code: string;
  readonly what: string;
  readonly where?: string | undefined;
  readonly fix?: string | undefined;
}

/** The problem of a file of the page that does not arrive. */
export const NOT_LOADED: Problem = {
  code: 'io',
  what: 'a part of the page could not be loaded',
  fix: 'Check the connection and try again. If that does not help, reload the page: its server may have a newer version',
};

/** A result or a problem. Errors lose their fields when they are sent from a worker. */
export type WorkerAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** Ability of a provider in this browser to run a model, with the reason if it cannot. */
export interface Fit {
  readonly provider: PageProvider;
  readonly runs: boolean;
  /** Whether the browser has the provider, for whatever model. */
  readonly available: boolean;
  /** Reason why the browser or the model prevents the run; null if the model runs. */
  readonly reason: string | null;
  readonly fix: string | null;
  /** Nodes that the provider cannot run. */
  readonly nodes: readonly string[];
}

export interface OpenedModel {
  readonly name: string;
  readonly inspection: Inspection;
  /** External data files that are not given yet; without them the model can be inspected and swapped, but not run. */
  readonly missing: readonly string[];
}

/** Options of a swap: the activation, the sites, the form and the treatment of LeakyReLU. */
export interface SwapChoice {
  /** The activation to write; absent for Mish, which form, β and leaky are about. */
  readonly to?: OtherActivation;
  readonly form: FormName;
  readonly beta: number;
  readonly leaky: 'mish' | 'mixture';
  /** Indices into `inspection.sites`. */
  readonly sites: readonly number[];
}

/** An activation other than Mish that a swap can write. */
export type OtherActivation = Exclude<ReplacementName, 'mish'>;

export interface SwappedModel {
  /** File name for the download: `model.mish.onnx`. */
  readonly name: string;
  readonly blob: Blob;
  readonly report: SwapReport;
}

/** An array of an .npz. */
export interface ArrayInfo extends TensorType {
  readonly name: string;
}

/** Changes that arrays of samples need before the model takes them. */
export interface ArrayChanges {
  readonly scale?: number;
  /** Position of the channels, if the model has another. */
  readonly dataLayout?: Layout;
}

/** Doubt whether samples are like those that the model was trained on. */
export interface Doubt {
  readonly what: string;
  /** Fields of the page that would mend the samples, as typed; null if the page has none. */
  readonly remedy: { readonly scale: string } | { readonly std: string } | null;
}

export interface DoubtEvent {
  readonly kind: 'doubt';
  readonly doubt: Doubt;
}

/** Inputs of the models. */
export type InputChoice =
  | { readonly kind: 'noise'; readonly seed: number; readonly runs: number }
  | ({
      readonly kind: 'npz';
      readonly file: NamedFile;
      /** Name of the array with the class numbers; null without labels. */
      readonly labels?: string | null;
      /** Label of a place that does not count. */
      readonly ignoreLabel?: number;
    } & ArrayChanges)
  /** The labelled images that the page brings along. */
  | { readonly kind: 'bundled' }
  | {
      readonly kind: 'images';
      readonly files: readonly NamedFile[];
      /** Options for images, as on the command line; mean and std are for pixels from 0 to 1. */
      readonly options?: Pick<ImageOptions, 'mean' | 'std' | 'resize' | 'size' | 'layout' | 'channels'>;
    };

export interface RunChoice {
  readonly providers: readonly PageProvider[];
  readonly input: InputChoice;
  /** Sizes of symbolic dimensions, by name. */
  readonly dims: Readonly<Record<string, number>>;
  /** Whole shapes, by the input's name, where a dimension has no name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Number of timed pairs of runs per provider. */
  readonly pairs: number;
}

/** Work in progress; `share` is the finished part of the step or of all work, and `secondsLeft` is the rest of the same. */
export interface StepEvent {
  readonly kind: 'step';
  readonly text: string;
  readonly share: number;
  readonly secondsLeft: number | undefined;
}

/** Events while models run. */
export type RunEvent =
  | DoubtEvent
  | { readonly kind: 'step'; readonly text: string }
  /** Milliseconds of further pairs of runs, original and swapped. */
  | {
      readonly kind: 'pairs';
      readonly provider: PageProvider;
      readonly times: readonly (readonly [number, number])[];
    }
  /** All results of one provider. */
  | { readonly kind: 'row'; readonly row: Report['providers'][number] };

/** A site, by its place among those for an activation to write, undefined for Mish. */
export interface SitePlace {
  readonly site: number;
  readonly to: OtherActivation | undefined;
}

/** Histogram of one site's inputs. */
export type SiteHistogram = Histogram;

/** A tensor with its name, element type and shape, as far as the model declares them. */
export interface NamedTensorType {
  readonly name: string;
  readonly elemType: string;
  /** A number, a symbol, or null for an unknown dimension; undefined when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | undefined;
}

/** An operator near a site, or an input or output of the model there. */
export interface GraphNode {
  readonly id: number;
  readonly kind: 'operator' | 'input' | 'output';
  /** The operator's type; `Input` or `Output` for the model's. */
  readonly op: string;
  readonly name: string;
  readonly isSite: boolean;
  readonly inputs: readonly NamedTensorType[];
  readonly outputs: readonly NamedTensorType[];
  /** The inputs whose values are in the model. */
  readonly weights: readonly NamedTensorType[];
  readonly attributes: readonly (readonly [name: string, value: string])[];
  /** Number of its neighbours that are left out. */
  readonly hidden: number;
}

/** A tensor that goes from a node to another. */
export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly tensor: NamedTensorType;
}

/** The graph around a site. */
export interface SiteGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/**
 * Work that can be stopped: questions about the model (`fits`, `histogram`), runs of both models, lists of arrays, drawing of reports,
 * repairs and trainings.
 */
export type PageJob = 'question' | 'run' | 'arrays' | 'html' | 'repair' | 'finetune' | 'compare';

/**
 * Functions of the worker. No data leaves the page. Models run in further workers, so that this worker always answers
 * and can stop them.
 */
export interface Workbench {
  /** Reads a model and its external data files. */
  open(model: NamedFile, external: readonly NamedFile[]): Promise<WorkerAnswer<OpenedModel>>;
  /** Lists the sites of the open model for an activation to write, undefined for Mish. */
  sites(to: OtherActivation | undefined): Promise<WorkerAnswer<OpenedModel>>;
  /** Returns which providers of this browser can run the open model, or the swapped one. */
  fits(which: 'original' | 'swapped'): Promise<WorkerAnswer<readonly Fit[]>>;
  /** Swaps the open model. The result shares the unchanged parts of its Blob. */
  swap(choice: SwapChoice): Promise<WorkerAnswer<SwappedModel>>;
  /** Runs both models side by side. After `stop`, the problem is `aborted`. */
  run(choice: RunChoice, onEvent: (event: RunEvent) => void): Promise<WorkerAnswer<Report>>;
  /**
   * Stops jobs, by default all, which return the problem `aborted` at once. The open and the swapped model stay.
   */
  stop(jobs?: readonly PageJob[]): Promise<void>;
  /** Returns the graph around a site of the open model. */
  graph(place: SitePlace): Promise<WorkerAnswer<SiteGraph>>;
  /** Lists the arrays of an .npz, so that the labels can be chosen among them. */
  arrays(file: NamedFile): Promise<WorkerAnswer<readonly ArrayInfo[]>>;
  /** Counts the inputs of one site of the original, for the given inputs of the model. */
  histogram(
    place: SitePlace,
    input: InputChoice,
    dims: RunChoice['dims'],
    shapes: RunChoice['shapes'],
  ): Promise<WorkerAnswer<SiteHistogram>>;
  /** Renders the report as the HTML page that the command line writes. */
  html(report: Report): Promise<WorkerAnswer<string>>;
}
