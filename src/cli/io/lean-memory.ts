import { setFlagsFromString } from 'node:v8';

/** The versions of V8 (Node 20 to 25) that are known to take the flags; others say so on standard error. */
const [FROM, TO] = [11, 14];

/**
 * Has V8 keep less garbage: it would rather let memory grow to twice what is in use than look for what is not. For commands
 * that only read structure, whose memory is a matter of how many nodes there are.
 */
export function useLessMemory(): void {
  const major = Number.parseInt(process.versions.v8, 10);
  if (!(major >= FROM && major <= TO)) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=20');
}
