/** Returns a progress line in percent for long work. It is printed to standard error, and only to a terminal. */
export function progress(label: string): { update: (done: number, total: number) => void; end: () => void } {
  const start = performance.now();
  let shown = 0;
  return {
    update(done, total) {
      const now = performance.now();
      if (!process.stderr.isTTY || now - start < 500 || now - shown < 100) return;
      shown = now;
      process.stderr.write(`\r${label} ${Math.floor((100 * done) / Math.max(total, 1))} %`);
    },
    end() {
      if (shown > 0) process.stderr.write('\r\u001b[K');
    },
  };
}

/** Returns a progress line with the current step. It is printed to standard error, and only to a terminal. */
export function steps(): { update: (step: string) => void; end: () => void } {
  const shows = process.stderr.isTTY === true;
  return {
    update(step) {
      if (shows) process.stderr.write(`\r\u001b[K${step} …`);
    },
    end() {
      if (shows) process.stderr.write('\r\u001b[K');
    },
  };
}
