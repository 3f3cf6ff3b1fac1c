import type { OptionHint } from '../base/option-hint.js';
import type { Node, Scope } from '../onnx/document.js';
import type { FloatType } from '../onnx/types.js';

/** An activation that can be swapped. */
export interface Site {
  readonly node: Node;
  readonly scope: Scope;
  readonly kind: string;
  /** Slope of a LeakyRelu or mixture; `@name` for an attribute of its function. */
  readonly alpha: number | string | undefined;
  readonly type: FloatType | undefined;
  /** Warning about a swappable site. */
  readonly doubt?: string | undefined;
  /** The constant -Infinity that reaches the site; Mish of it is NaN. */
  readonly minusInfinity?: string | undefined;
  /** The float types of a site whose function is called with several types. */
  readonly several?: readonly FloatType[] | undefined;
  /** Whether one of these calls has an unknown element type. */
  readonly isOpen?: boolean | undefined;
  /** Input of an activation of several nodes, of which `node` is the last. */
  readonly x?: string | undefined;
  /** The other nodes of an activation of several nodes. */
  readonly inner?: readonly Node[] | undefined;
  /** Names of the constants that those nodes read. */
  readonly constants?: readonly string[] | undefined;
  /** The reason why those nodes cannot be replaced. */
  readonly obstacle?: readonly [reason: SkipReason, why: string] | undefined;
  /** Largest difference between those nodes and the exact activation: absolute up to 1, relative beyond. */
  readonly difference?: number | undefined;
}

/** Returns the name of a site's input. */
export function inputOf({ x, node }: Pick<Site, 'node' | 'x'>): string {
  return x ?? node.inputs[0] ?? '';
}

/** Machine-readable reason why an activation was skipped. */
export type SkipReason =
  /** Its elements are integers. */
  | 'integer'
  /** The element type is unknown, and the form needs constants of this type. */
  | 'unknown-type'
  /** The form has no operator for the element type at this opset. */
  | 'type-not-in-form'
  /** Its result is a size, an index or a count. */
  | 'arithmetic'
  /** It keeps the operand of a root, logarithm, power or division in the valid domain. */
  | 'guard'
  /** A bound before or after makes it half of a clamp. */
  | 'clamp'
  /** The zeros of its result decide a mask. */
  | 'mask'
  /** The function and the model import opsets in which an operator of the form differs. */
  | 'opset-mismatch'
  /** The slope of a mixture is not a number, or too large. */
  | 'slope'
  /** A quantisation scale was calibrated for this activation. */
  | 'quantized'
  /** A constant of its nodes is an input of the model as well, which may override it. */
  | 'overridable'
  /** A constant of its nodes may have a larger shape than its input, or is in another file. */
  | 'unknown-constant'
  /** It is built into another operator. */
  | 'fused'
  /** The options `include`, `exclude` or `only` omit it. */
  | 'excluded'
  /** The node violates its operator's specification. */
  | 'malformed';

/** A skipped activation with the reason. */
export interface Skip extends Site {
  readonly reason: SkipReason;
  /** The reason as a sentence fragment for humans. */
  readonly why: string;
  /** The options that caused the skip, or that would permit the swap. */
  readonly option?: OptionHint | undefined;
  /** The node behind the reason; undefined without one. */
  readonly decidedBy?: Decider | undefined;
}

/** A node that decides about a site, with its scope. */
export type Decider = Pick<Site, 'node' | 'scope'>;
