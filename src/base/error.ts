import type { OptionHint } from './option-hint.js';

/** Kinds of errors, for programs to distinguish. */
export type ErrorCode =
  /** An option or argument that cannot be used. */
  | 'bad-usage'
  /** The file cannot be read or written. */
  | 'io'
  /** The file is not an ONNX model. */
  | 'not-onnx'
  /** The file starts like an ONNX model, but its content is invalid. */
  | 'malformed'
  /** External data is missing, or its path must not be followed. */
  | 'external-data'
  /** The form cannot be written in this model: its opset or element type lacks an operator. */
  | 'unsupported-form'
  /** The plan does not fit the model. */
  | 'bad-plan'
  /** There is nothing to undo, or the file has changed since. */
  | 'cannot-undo'
  /** The option `strict` was set, and an activation was skipped. */
  | 'skipped'
  /** No swap keeps the budget. */
  | 'over-budget'
  /** Samples, labels or shapes do not fit the model. */
  | 'bad-data'
  /** A requested execution provider is not available. */
  | 'provider-unavailable'
  /** An optional package that the work needs is not installed. */
  | 'missing-package'
  /** ONNX Runtime refused the model or failed to run it. */
  | 'run-failed'
  /** The caller aborted the work. */
  | 'aborted';

export interface ErrorDetails {
  /** Place of the error: a file, a byte offset, a node or a tensor. */
  where?: string | undefined;
  /**
   * Advice to the user, as an imperative. It names no option, because the command line and the page have different
   * names for options.
   */
  fix?: string | undefined;
  /** Options that `fix` advises. */
  option?: OptionHint | undefined;
  /** State of the files after the error, as a sentence: that nothing was left behind, or what to remove by hand. */
  outcome?: string | undefined;
  cause?: unknown;
}

/** Returns the message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Joins sentences, of which some may be missing. */
export function sentences(...parts: readonly (string | undefined)[]): string {
  return parts.filter(Boolean).join('. ');
}

/** The only error that this package throws: the problem, its place, and advice. */
export class OnnxMishError extends Error {
  override readonly name = 'OnnxMishError';
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string | undefined;
  readonly fix: string | undefined;
  /** Options that `fix` advises, with their values. */
  readonly option: OptionHint | undefined;
  /** State of the files after the error, as a sentence. */
  readonly outcome: string | undefined;

  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    const { where, fix, option, outcome, cause } = details;
    super((where === undefined ? '' : `${where}: `) + sentences(what, fix, outcome), { cause });
    this.code = code;
    this.what = what;
    this.where = where;
    this.fix = fix;
    this.option = option;
    this.outcome = outcome;
  }
}

/** Returns a copy of the error with other details; omitted details stay. */
export function withDetails(error: OnnxMishError, details: ErrorDetails): OnnxMishError {
  const { code, what, where, fix, option, outcome, cause } = error;
  return new OnnxMishError(code, what, { where, fix, option, outcome, cause, ...details });
}
