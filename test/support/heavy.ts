/** Whether everything runs at its whole size: `npm run test:heavy`, and `npm run bombs`. */
export const isHeavy = process.env.MODE === 'heavy';

/** Reason that a test is skipped with. */
export const HEAVY_ONLY = 'runs in npm run test:heavy';

/** How many random cases a test goes through: a part of all of them, unless everything runs at its whole size. */
export const casesOf = (all: number): number => (isHeavy ? all : Math.ceil(all / 12));

/** The first of some cases and every nth after it; all of them if everything runs at its whole size. */
export const everyNth = <T>(n: number, cases: readonly T[]): readonly T[] =>
  isHeavy ? cases : cases.filter((_, index) => index % n === 0);
