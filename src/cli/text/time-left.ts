/** Returns a function from the done share (0 to 1) to a text of the remaining time. Its clock starts at the first call. */
export function clockFor(now: () => number = () => performance.now()): (done: number) => string {
  let start: number | undefined;
  return (done) => {
    start ??= now();
    const elapsed = (now() - start) / 1000;
    if (!(done > 0) || elapsed < 1) return '';
    const left = (elapsed * (1 - done)) / done;
    return `, about ${left < 100 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`;
  };
}
