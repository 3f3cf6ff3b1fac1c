/**
 * Takes items out of a set until it holds: in the order that `reorder` gives once the whole set did not, from harmless to
 * harmful, the last first; at the end each one alone. Empty where nothing holds. Asks `holds` 2 n times at the most.
 */
export async function takeBack<Item>(
  items: readonly Item[],
  holds: (items: readonly Item[]) => Promise<boolean>,
  reorder: (items: readonly Item[]) => Promise<readonly Item[]>,
): Promise<readonly Item[]> {
  if (items.length === 0 || (await holds(items))) return items;
  if (items.length === 1) return [];
  const order = await reorder(items);
  for (let size = order.length - 1; size > 0; size--) {
    const set = order.slice(0, size);
    if (await holds(set)) return set;
  }
  for (const item of order.slice(1)) if (await holds([item])) return [item]; // the first was alone just now
  return [];
}
