import type { FormName } from './forms.js';
import type { Operation } from './history.js';
import type { NoteOptions } from './notes.js';
import type { SiteReport, SkipReport } from './results.js';

export interface ValueSummary {
  readonly name: string;
  /** `f32`, `i64`, ...; `unknown` for a value that is not a tensor. */
  readonly elemType: string;
  /** A number, a symbol, or null for an unknown dimension; undefined when the rank is unknown. */
  readonly dims: readonly (number | string | null)[] | undefined;
}

export interface MishSummary {
  /** `other` where the nodes match no form of onnx-mish. */
  readonly form: FormName | 'other';
  readonly beta: number;
  /** Slope α of the mixture αx + (1 - α) · mish; absent for Mish itself. */
  readonly leak?: number;
  /** An integer type for a Mish on integers. */
  readonly elemType: string;
  readonly scope: string;
  readonly label: string;
  /** Name of the output value. */
  readonly output: string;
  /** The largest difference from exact Mish for x from -60 to 60: absolute up to 1, relative beyond. */
  readonly difference: number;
  /** For an approximate form: the largest difference from exact Mish over all numbers; on integers, within the output's range. */
  readonly bound?: number;
}

/** Description of a model for swapping. */
export interface Inspection {
  /** Length in bytes. */
  readonly bytes: number;
  readonly irVersion: number;
  readonly producer: string;
  /** Opset of ONNX's default domain. */
  readonly opset: number;
  /** Every operator set that the model imports; '' is ONNX's default domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** The inputs that must be fed: those without an initializer. */
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Nodes in all graphs and functions. */
  readonly nodes: number;
  /** Graphs inside attributes of nodes. */
  readonly nestedGraphs: number;
  readonly functions: number;
  /** Number of nodes per operator; `domain.Op` outside ONNX's default domain. */
  readonly operators: Readonly<Record<string, number>>;
  /** Number of activations per kind, including those written out in several nodes. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly sites: readonly SiteReport[];
  readonly skipped: readonly SkipReport[];
  /** Number of ReLUs that QuantizeLinear nodes compute without a Relu node; `swap` takes them with `int8`. */
  readonly impliedRelus?: number;
  /** Mish that the model already contains. */
  readonly mish: readonly MishSummary[];
  /** Operations of onnx-mish on this model, oldest first. */
  readonly history: readonly Operation[];
  /** Files that hold tensors of the model, relative to its folder. */
  readonly externalData: readonly string[];
  /** Notes on `include`, `exclude` and `only` that select nothing. */
  readonly notes: readonly string[];
  /** The options that notes advise, by the note. */
  readonly noteOptions?: NoteOptions;
}
