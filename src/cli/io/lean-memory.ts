import { statOf } from '../../files/same-file.js';

/** Versions of V8 (Node 20 to 25) that accept the flags; other versions print a warning. */
const [MIN_VERSION, MAX_VERSION] = [11, 14];

/** Bytes of a model below which the heap stays small, whatever the model contains. */
const SMALL_BYTES = 1024 * 1024;

/**
 * Makes V8 collect garbage earlier; by default the heap may grow to twice the live memory. For commands that only read the
 * structure, whose memory depends on the number of nodes. Does nothing for a small model, which the flags only slow down: with
 * changed flags V8 refuses the compiled code of Node's own modules.
 */
export async function useLessMemory(input: string): Promise<void> {
  const major = Number.parseInt(process.versions.v8, 10);
  if (!(major >= MIN_VERSION && major <= MAX_VERSION)) return;
  const there = input === '-' ? undefined : await statOf(input);
  if (there?.isFile() && there.size < SMALL_BYTES) return;
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=20');
}
