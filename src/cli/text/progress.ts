import { short } from '../../render/figures.js';
import { isSilent } from './say.js';

/** Least time between two lines of progress, where standard error is not a terminal. */
const LINE_MS = 10_000;

/** Time of the last line, or of the first progress of the command; undefined before it. */
let lastLine: number | undefined;

/** Resets this module for another command in the same process. */
export function renewProgress(): void {
  lastLine = undefined;
}

/** A progress line. `end` removes it from a terminal, and stops further lines elsewhere. */
export interface Progress<Arguments extends readonly unknown[]> {
  readonly update: (...update: Arguments) => void;
  readonly end: () => void;
}

/** Progress of a command that was told to be quiet. */
const SILENT = { update() {}, end() {} };

const DEFAULT_COLUMNS = 80;

/** Returns text in the width of the terminal, without its middle where it is longer: a line that wraps could not be rewritten. */
const fitted = (text: string) => short(text, Math.max(3, (process.stderr.columns || DEFAULT_COLUMNS) - 1));

/**
 * Returns progress in percent for long work, on standard error: a line that is rewritten in a terminal, else a line at most
 * every 10 seconds.
 */
export function progress(label: string): Progress<[done: number, total: number]> {
  if (isSilent()) return SILENT;
  const start = performance.now();
  const lines = process.stderr.isTTY ? undefined : plainLines();
  const text = (done: number, total: number) => `${label} ${Math.floor((100 * done) / Math.max(total, 1))} %`;
  let shown = 0;
  return {
    update(done, total) {
      const now = performance.now();
      if (lines !== undefined) return lines.update(() => text(done, total));
      if (now - start < 500 || now - shown < 100) return;
      shown = now;
      process.stderr.write(`\r${fitted(text(done, total))}`);
    },
    end() {
      lines?.end();
      if (shown > 0) process.stderr.write('\r\u001b[K');
    },
  };
}

/** Returns progress that names the current step, on standard error as `progress` does. */
export function steps(): Progress<[step: string]> {
  if (isSilent()) return SILENT;
  if (process.stderr.isTTY !== true) {
    const lines = plainLines();
    return { update: (step) => lines.update(() => `${step} …`), end: lines.end };
  }
  return {
    update: (step) => void process.stderr.write(`\r\u001b[K${fitted(`${step} …`)}`),
    end: () => void process.stderr.write('\r\u001b[K'),
  };
}

/** Returns progress in whole lines. A timer prints the step that began before a long silence. */
function plainLines(): Progress<[text: () => string]> {
  lastLine ??= performance.now();
  let pending: (() => string) | undefined;
  let timer: NodeJS.Timeout | undefined;
  const print = () => {
    if (pending === undefined || performance.now() - (lastLine ?? 0) < LINE_MS) return;
    lastLine = performance.now();
    process.stderr.write(`${pending()}\n`);
    pending = undefined;
  };
  return {
    update(text) {
      pending = text;
      print();
      timer ??= setInterval(print, LINE_MS / 10).unref();
    },
    end() {
      clearInterval(timer);
      timer = undefined;
      pending = undefined;
    },
  };
}
