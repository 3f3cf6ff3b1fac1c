// Fine-tunes a swapped network with labels, beside its control.

export {
  FINETUNE_SCHEMA,
  type FinetuneComparison,
  type FinetuneReport,
  type FinetuneRun,
  finetuneJsonSchema,
  parseFinetuneReport,
} from '../finetune/report-schema.js';
