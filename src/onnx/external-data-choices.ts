/** Choices for the weights of an output: in the model, in the files that have them, or all in one new data file. */
export const EXTERNAL_DATA = ['inline', 'keep', 'file'] as const;
export type ExternalDataChoice = (typeof EXTERNAL_DATA)[number];
