/** A line on standard error that counts up, for work that takes a while and only where somebody watches. */
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

/** A line on standard error that says what is being done, only where somebody watches. */
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
