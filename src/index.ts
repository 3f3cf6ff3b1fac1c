// The core: no file, no console, nothing of Node. A page, a worker and the command line import the same.

export { type ErrorCode, OnnxMishError } from './base/error.js';
export type { OptionHint, OptionName } from './base/option-hint.js';
export { VERSION } from './base/version.js';
export type { ReplacementName } from './mish/activation-kinds.js';
export type { FixedNode, FixOptions, FixReport } from './mish/fix-report.js';
export { fix /** @deprecated another name for `fix`. */, fix as fixRelu } from './mish/fixes.js';
export { type FoldOptions, foldSharpness } from './mish/fold.js';
export { FORM_FOR, FORMS, type Form, type FormName, TARGETS, type Target } from './mish/forms.js';
export { type Operation, type Undone, undo } from './mish/history.js';
export { type Inspection, inspect, type MishSummary, type ValueSummary } from './mish/inspect.js';
export { type Plan, parsePlan, planOf } from './mish/plan.js';
export type { FoldedSite, FoldReport, KeptSite, SiteReport, SkipReport, SwapReport } from './mish/results.js';
export { type RetargetOptions, type RetargetReport, retarget } from './mish/retarget.js';
export type { SiteOptions, SkipReason } from './mish/sites.js';
export { type FormOptions, type SwapOptions, swap } from './mish/swap.js';
export type { DataFileInMemory } from './onnx/data-in-memory.js';
export { inlineExternalData } from './onnx/inline-external-data.js';
export type { ByteSource, ModelInput } from './onnx/source.js';
export type { Spliced } from './onnx/splice.js';
export type { OpenData } from './onnx/weights.js';
