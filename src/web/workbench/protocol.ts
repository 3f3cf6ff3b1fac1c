// What the workbench's page and its worker say to each other (by comlink): the worker has the model, the page shows it.

import type { ImageOptions } from '../../data/images.js';
import type { FormName } from '../../mish/forms.js';
import type { Inspection } from '../../mish/inspect.js';
import type { SwapReport } from '../../mish/results.js';
import { WEB_PROVIDERS, type WebProvider } from '../../providers/web-providers.js';
import type { Report } from '../../validate/report-schema.js';

/** The execution providers of a page. */
export const PAGE_PROVIDERS = WEB_PROVIDERS;
export type PageProvider = WebProvider;

/** A file that somebody dropped or picked: a model's external data, say. */
export interface NamedFile {
  readonly name: string;
  readonly blob: Blob;
}

/**
 * A model that `onnx-mish ui model.onnx` hands to the page: JSON at `HANDED_PATH` beside the page. It is there when the
 * page's address ends with `HANDED_HASH`, and need not be asked for otherwise. Addresses are relative to the page.
 */
export interface Handed {
  readonly model: { readonly name: string; readonly url: string };
  readonly external: readonly { readonly name: string; readonly url: string }[];
}
export const HANDED_PATH = 'model.json';
export const HANDED_HASH = '#model';

/** A problem as a sentence for people, and what to do about it: the `OnnxMishError` of a worker. */
export interface Problem {
  readonly code: string;
  readonly what: string;
  readonly where?: string | undefined;
  readonly fix?: string | undefined;
}

/** An answer that may be a problem: errors lose their fields on the way from a worker. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** Whether a provider of this browser can run a model, and what stands in the way. */
export interface Fit {
  readonly provider: PageProvider;
  readonly runs: boolean;
  /** Why not, of the browser or of the model; null where it runs. */
  readonly reason: string | null;
  readonly fix: string | null;
  /** Nodes that the provider cannot run. */
  readonly nodes: readonly string[];
}

export interface OpenedModel {
  readonly name: string;
  readonly inspection: Inspection;
  /** External data that has not been given yet: it can be seen and swapped, and not run. */
  readonly missing: readonly string[];
}

/** What to swap: the sites by their output's name, in the form. */
export interface SwapChoice {
  readonly form: FormName;
  readonly beta: number;
  readonly leaky: 'mish' | 'mixture';
  /** Indices into `inspection.sites`. */
  readonly sites: readonly number[];
}

export interface SwappedModel {
  /** The name for the download, `model.mish.onnx`. */
  readonly name: string;
  readonly blob: Blob;
  readonly report: SwapReport;
}

/** What the models are fed. */
export type Input =
  | { readonly kind: 'noise'; readonly seed: number; readonly runs: number }
  | { readonly kind: 'npz'; readonly file: NamedFile }
  | {
      readonly kind: 'images';
      readonly files: readonly NamedFile[];
      /** Mean and standard deviation for pixels of 0 to 1, and so on: as the command line's options. */
      readonly options?: Pick<ImageOptions, 'mean' | 'std' | 'resize' | 'size' | 'layout' | 'channels'>;
    };

export interface RunChoice {
  readonly providers: readonly PageProvider[];
  readonly input: Input;
  /** Sizes of symbolic dimensions, by name. */
  readonly dims: Readonly<Record<string, number>>;
  /** Whole shapes, by the input's name, where a dimension has no name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Pairs of runs that are timed on each provider. */
  readonly pairs: number;
}

/** What happens while models run. */
export type RunEvent =
  | { readonly kind: 'step'; readonly text: string }
  /** Milliseconds of more pairs of runs, original and swapped. */
  | {
      readonly kind: 'pairs';
      readonly provider: PageProvider;
      readonly times: readonly (readonly [number, number])[];
    }
  /** All that was found on one provider. */
  | { readonly kind: 'row'; readonly row: Report['providers'][number] };

/** The input of one site: counts of bins of one width, for the chart under Mish's curve. */
export interface SiteHistogram {
  readonly from: number;
  readonly width: number;
  readonly counts: readonly number[];
  readonly below: number;
  readonly above: number;
}

/**
 * What the worker offers. Nothing leaves the page. Models run in workers of its own inside of it, so that it answers, and
 * stops, whatever they do.
 */
export interface Workbench {
  /** Reads a model; the files beside it are its external data. */
  open(model: NamedFile, external: readonly NamedFile[]): Promise<Answer<OpenedModel>>;
  /** Which providers of this browser can run the model that is open, or what was swapped from it. */
  fits(which: 'original' | 'swapped'): Promise<Answer<readonly Fit[]>>;
  /** Swaps the model that is open. The result shares the parts of its Blob that stay. */
  swap(choice: SwapChoice): Promise<Answer<SwappedModel>>;
  /** Runs original and swapped side by side. `aborted` is the problem after `stop`. */
  run(choice: RunChoice, onEvent: (event: RunEvent) => void): Promise<Answer<Report>>;
  /**
   * Ends whatever runs: `fits`, `run` and `histogram` that are under way answer at once with the problem `aborted`, and
   * what was open and swapped stays.
   */
  stop(): Promise<void>;
  /** What goes into one site of the original, of the inputs given. */
  histogram(
    site: number,
    input: Input,
    dims: RunChoice['dims'],
    shapes: RunChoice['shapes'],
  ): Promise<Answer<SiteHistogram>>;
  /** The report as the page that the command line writes. */
  html(report: Report): Promise<Answer<string>>;
}
