import type { OptionHint } from '../base/option-hint.js';
import type { Node, Scope } from '../onnx/document.js';
import type { FloatType } from '../onnx/types.js';

/** One activation that can be swapped. */
export interface Site {
  readonly node: Node;
  readonly scope: Scope;
  readonly kind: string;
  readonly alpha: number | string | undefined;
  readonly type: FloatType | undefined;
  /** It can be swapped, but this should be known. */
  readonly doubt?: string | undefined;
  /** The constant -Infinity that it is given, of which Mish is NaN. */
  readonly minusInfinity?: string | undefined;
  /** The float types that it has where its function is called in several ways. */
  readonly several?: readonly FloatType[] | undefined;
  /** Of an activation that is written out in several nodes, of which `node` is the last: what it is applied to, */
  readonly x?: string | undefined;
  /** the other nodes, */
  readonly inner?: readonly Node[] | undefined;
  /** the names of their constants, */
  readonly constants?: readonly string[] | undefined;
  /** and how far it is from its definition, divided by values above 1. */
  readonly difference?: number | undefined;
}

/** Name of the value that a site is applied to. */
export function inputOf({ x, node }: Pick<Site, 'node' | 'x'>): string {
  return x ?? node.inputs[0] ?? '';
}

/** Why an activation was left alone, for a program to act on. */
export type SkipReason =
  /** Integers have no Mish. */
  | 'integer'
  /** The element type is not known, and the form needs constants of it. */
  | 'unknown-type'
  /** The form has no operator for the element type at this opset. */
  | 'type-not-in-form'
  /** A Relu that calculates a size, an index, a count. */
  | 'arithmetic'
  /** It keeps the operand of a root, a logarithm, a power or a division in its domain. */
  | 'guard'
  /** With a bound before or after it, it is half of a clamp. */
  | 'clamp'
  /** A mask is decided by where its result is zero. */
  | 'mask'
  /** The function and the model import opsets in which an operator of the form differs. */
  | 'opset-mismatch'
  /** A mixture needs a slope that is a number. */
  | 'slope'
  /** A quantisation scale was calibrated for the old activation. */
  | 'quantized'
  /** Inside another operator. */
  | 'fused'
  /** Left out by `include`, `exclude` or `only`. */
  | 'excluded'
  /** Not a node as the operator's specification has it. */
  | 'malformed';

/** An activation that stays, and why. */
export interface Skip extends Site {
  readonly reason: SkipReason;
  /** The reason as a sentence fragment for people. */
  readonly why: string;
  /** The options that decided it, or that would swap it. */
  readonly option?: OptionHint | undefined;
  /** The node that decided it, where one did. */
  readonly decidedBy?: Decider | undefined;
}

/** A node that decides about a site, and where it is. */
export type Decider = Pick<Site, 'node' | 'scope'>;
