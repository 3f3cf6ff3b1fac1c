import { readFeed } from '../page/shapes.js';
import { choiceOf, type State } from '../page/state.js';
import type { RepairChoice } from '../repair-protocol.js';
import type { RepairState } from './repair-state.js';

/** Returns the choice for the worker; undefined while something is missing or invalid. */
export function repairChoice(
  { settings }: Pick<RepairState, 'settings'>,
  page: State,
): RepairChoice | undefined {
  const { model, feed, chosen } = page;
  if (model === null || model.missing.length > 0 || chosen.size === 0 || feed.kind === 'noise')
    return undefined;
  const fed = readFeed(feed, model.inspection.inputs, true);
  return fed && { ...fed, ...settings, swap: choiceOf(page) };
}
