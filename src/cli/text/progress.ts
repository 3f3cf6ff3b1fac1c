import { short } from '../../render/figures.js';
import { isSilent } from './say.js';
import { standardError } from './stdout.js';

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
const fitted = (text: string) => short(text, Math.max(3, (standardError().columns || DEFAULT_COLUMNS) - 1));

/**
 * Returns progress in percent for long work, on standard error: a line that is rewritten in a terminal, else a line at most
 * every 10 seconds.
 */
export function progress(label: string): Progress<[done: number, total: number]> {
  if (isSilent()) return SILENT;
  let shown: Progress<[text: () => string]> | undefined;
  return {
    update(done, total) {
      // A stream and `performance` take Node some ms to load, and what is done at once has no progress to show.
      if (shown === undefined && done >= total) return;
      shown ??= standardError().isTTY ? rewrittenLine() : plainLines();
      shown.update(() => `${label} ${Math.floor((100 * done) / Math.max(total, 1))} %`);
    },
    end: () => shown?.end(),
  };
}

/** Returns progress in a line that is rewritten, from half a second on. */
function rewrittenLine(): Progress<[text: () => string]> {
  const start = performance.now();
  let shown = 0;
  return {
    update(text) {
      if (performance.now() - start < 500 || performance.now() - shown < 100) return;
      shown = performance.now();
      standardError().write(`\r${fitted(text())}`);
    },
    end() {
      if (shown > 0) standardError().write('\r\u001b[K');
    },
  };
}

/** Returns progress that names the current step, on standard error as `progress` does. */
export function steps(): Progress<[step: string]> {
  if (isSilent()) return SILENT;
  if (!standardError().isTTY) {
    const lines = plainLines();
    return { update: (step) => lines.update(() => `${step} …`), end: lines.end };
  }
  return {
    update: (step) => void standardError().write(`\r\u001b[K${fitted(`${step} …`)}`),
    end: () => void standardError().write('\r\u001b[K'),
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
    standardError().write(`${pending()}\n`);
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
