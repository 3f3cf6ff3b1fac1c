// Fine-tunes a swapped network with labels, beside its control.

export type { DataFileContent } from '../finetune/data-file.js';
export type { Finetuned } from '../finetune/finetune.js';
export { labelledArrays } from '../finetune/labelled-arrays.js';
export type {
  CheckpointStore,
  FinetuneEpoch,
  FinetuneOptions,
  LabelledData,
  LabelledDataMaker,
} from '../finetune/options.js';
export {
  FINETUNE_SCHEMA,
  type FinetuneComparison,
  type FinetuneReport,
  type FinetuneRun,
  finetuneJsonSchema,
  parseFinetuneReport,
} from '../finetune/report-schema.js';
export { finetune } from './finetune-files.js';
