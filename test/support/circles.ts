/**
 * Finds the groups of things that lead to each other by arrows [from, to]; one that leads to itself alone is none. What has no
 * arrow in or none out is taken away until nothing changes; what is left leads into circles and out of them, and each one's group
 * is what it reaches and is reached by.
 */
export function circles(arrows: readonly (readonly [from: string, to: string])[]): string[][] {
  let left = arrows.filter(([from, to]) => from !== to);
  for (let before = -1; before !== left.length; ) {
    before = left.length;
    const [from, to] = [new Set(left.map(([one]) => one)), new Set(left.map(([, one]) => one))];
    left = left.filter((arrow) => to.has(arrow[0]) && from.has(arrow[1]));
  }
  const groups: string[][] = [];
  const done = new Set<string>();
  for (const [start] of left) {
    if (done.has(start)) continue;
    const before = reached(
      start,
      left.map(([from, to]) => [to, from]),
    );
    const group = [...reached(start, left)].filter((one) => before.has(one)).sort();
    for (const one of group) done.add(one);
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

/** What a thing leads to in one step or more. */
function reached(start: string, arrows: readonly (readonly [string, string])[]): ReadonlySet<string> {
  const next = new Map<string, string[]>();
  for (const [from, to] of arrows) next.set(from, [...(next.get(from) ?? []), to]);
  const found = new Set<string>();
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const to of next.get(at) ?? []) {
      if (found.has(to)) continue;
      found.add(to);
      open.push(to);
    }
  }
  return found;
}
