/** Returns a function that formats the time left after a share (0 to 1) is done. Its clock starts at the first call. */
export function timeLeftClock(now: () => number = () => performance.now()): (done: number) => string {
  let start: number | undefined;
  return (done) => {
    start ??= now();
    const elapsed = (now() - start) / 1000;
    if (!(done > 0) || elapsed < 1) return '';
    const left = (elapsed * (1 - done)) / done;
    return `, about ${left < 100 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`;
  };
}
