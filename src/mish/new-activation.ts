import type { ElementTypes } from '../onnx/element-types.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { ReplacementName } from './activation-kinds.js';
import type { Form, Target } from './forms.js';
import type { Operands } from './operands.js';
import type { Site } from './site.js';
import type { Question } from './value-flow.js';

/** An activation to write, with the facts that decide where it may be written. */
export interface NewActivation {
  readonly name: ReplacementName;
  /** Name in sentences. */
  readonly label: string;
  /** Its value at -Infinity, if it is not a finite number. */
  readonly atMinusInfinity?: 'NaN' | '-Infinity' | undefined;
  /** How far below zero its values are; by default as far as those of its kind. */
  readonly depth?: number | undefined;
  /** For an activation that gives zero for a range of inputs: the kinds that do so anyway, and the questions about such zeros. */
  readonly zeros?: Zeros | undefined;
  /** How to write it; absent for Mish, whose form the options choose. */
  readonly recipes?: Recipes | undefined;
}

interface Zeros {
  readonly kinds: readonly string[];
  questions(index: GraphIndex, operands: Operands, types: ElementTypes): readonly Question[];
}

/** Ways to write an activation other than Mish. */
export interface Recipes {
  /** The forms, the best first; the last has the lowest opset. */
  readonly forms: readonly Form<string>[];
  /** Returns the best form for a site. */
  choose(site: Site, target: Target | undefined): Form<string>;
  /** Returns the slope of LeakyReLU at a site; undefined for other activations. */
  slope(site: Site & { readonly leak?: number | undefined }): number | undefined;
  /** Returns a line for each provider that cannot run the sites. */
  notes(sites: readonly (Site & { readonly form: Form<string> })[]): string[];
}

/** Options that choose the activation and its parameters. */
export interface ReplacementOptions {
  /** The activation to write; `mish` by default. `silu` is an alias of `swish`. */
  readonly to?: ReplacementName | 'silu' | undefined;
  /** Slope of LeakyReLU below zero, for `to: 'leakyrelu'`; 0.01 by default, or the slope of the mixture that it replaces. */
  readonly alpha?: number | undefined;
}

export const MISH: NewActivation = { name: 'mish', label: 'Mish', atMinusInfinity: 'NaN' };
