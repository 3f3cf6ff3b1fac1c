/** Tells how long work will still take, from the share of it, 0 to 1, that is done. */
export function clockFor(now: () => number = () => performance.now()): (done: number) => string {
  const start = now();
  return (done) => {
    const elapsed = (now() - start) / 1000;
    if (!(done > 0) || elapsed < 1) return '';
    const left = (elapsed * (1 - done)) / done;
    return `, about ${left < 100 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`;
  };
}
