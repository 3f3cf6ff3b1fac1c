/** Tells how long work will still take, from the share of it, 0 to 1, that is done; its clock starts when it is first asked. */
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
