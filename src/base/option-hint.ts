/**
 * Name of an option of this library, or of a function whose options are meant. Each interface (command line, page) has
 * its own name for it.
 */
export type OptionName =
  // swap and retarget
  | 'alpha'
  | 'exclude'
  | 'form'
  | 'include'
  | 'int8'
  | 'leaky'
  | 'only'
  | 'opset'
  | 'plan'
  | 'strict'
  | 'target'
  | 'to'
  | 'undo'
  // files
  | 'allowOutsideData'
  | 'externalData'
  | 'force'
  | 'outDir'
  | 'output'
  // samples
  | 'data'
  | 'dataLayout'
  | 'dims'
  | 'images'
  | 'labels'
  | 'layout'
  | 'limit'
  | 'mean'
  | 'resize'
  | 'samples'
  | 'scale'
  | 'seed'
  | 'shapes'
  | 'size'
  | 'std'
  // ranking and calibration
  | 'before'
  | 'beta'
  | 'curved'
  | 'layers'
  // fine-tuning
  | 'calibrate'
  | 'freeze'
  | 'head'
  | 'ignoreLabel'
  | 'loss'
  | 'resume'
  // providers
  | 'browser'
  | 'deviceId'
  | 'timeoutMs'
  // packages
  | 'install'
  // functions
  | 'retarget'
  | 'swap'
  | 'validate';

/** Options that a piece of advice names, with their values; null without a value. */
export type OptionHint = {
  readonly [name in OptionName]?: string | number | boolean | null | OptionHint | Sizes | undefined;
};

/** Sizes by name, as in `dims` and `shapes`. */
type Sizes = Readonly<Record<string, number | readonly number[]>>;

/** Advice as a part of a sentence, with the options that it names. */
export interface Advice {
  readonly text: string;
  readonly option?: OptionHint | undefined;
}
