/** An option of this library, or a function whose options are meant. Each face has a name of its own for it. */
export type OptionName =
  // swap and retarget
  | 'exclude'
  | 'form'
  | 'include'
  | 'only'
  | 'opset'
  | 'plan'
  | 'strict'
  | 'target'
  | 'undo'
  // files
  | 'allowOutsideData'
  | 'force'
  | 'outDir'
  | 'output'
  // samples
  | 'data'
  | 'dims'
  | 'images'
  | 'labels'
  | 'layout'
  | 'limit'
  | 'mean'
  | 'resize'
  | 'samples'
  | 'seed'
  | 'shapes'
  | 'size'
  | 'std'
  // ranking and calibration
  | 'before'
  | 'beta'
  | 'layers'
  // providers
  | 'browser'
  | 'deviceId'
  | 'timeoutMs'
  // functions
  | 'retarget'
  | 'swap'
  | 'validate';

/** The options that advice is about, as a caller would give them; null where the advice names no value. */
export type OptionHint = {
  readonly [name in OptionName]?: string | number | boolean | null | OptionHint | Sizes | undefined;
};

/** Sizes by name: those of `dims` and `shapes`. */
type Sizes = Readonly<Record<string, number | readonly number[]>>;

/** Advice as a sentence fragment, and the options that it is about. */
export interface Advice {
  readonly text: string;
  readonly option?: OptionHint | undefined;
}
