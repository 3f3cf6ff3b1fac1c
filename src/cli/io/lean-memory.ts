import { setFlagsFromString } from 'node:v8';

/** Versions of V8 (Node 20 to 25) that accept the flags; other versions print a warning. */
const [MIN_VERSION, MAX_VERSION] = [11, 14];

/**
 * Makes V8 collect garbage earlier; by default the heap may grow to twice the live memory. For commands that only read the
 * structure, whose memory depends on the number of nodes.
 */
export function useLessMemory(): void {
  const major = Number.parseInt(process.versions.v8, 10);
  if (!(major >= MIN_VERSION && major <= MAX_VERSION)) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=20');
}
