/**
 * Removes items until `holds` accepts the set. If it refuses the whole set, `reorder` sorts the items, the least
 * degrading first. Then items are removed from the end; finally each item is tried alone. Returns an empty set if
 * nothing is accepted. Calls `holds` at most 2 n times.
 */
export async function backtrack<Item>(
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
  for (const item of order.slice(1)) if (await holds([item])) return [item]; // the loop above ended with the first item alone
  return [];
}
