/** Headings of the options in the help of commands, in the order in which the help has them. */
export const GROUPS = {
  what: 'What to swap:',
  how: 'How:',
  samples: 'Samples:',
  training: 'Training:',
  measures: 'Measures:',
  limits: 'Limits:',
  output: 'Output:',
  many: 'Many models:',
  runs: 'Runs:',
  general: 'General:',
} as const;
