import type { Node, Scope } from '../onnx/document.js';
import { isEqual } from './intervals.js';
import { combined, type Ranges, rangesOfAny, UNKNOWN } from './ranges.js';
import { enter, leave } from './value-flow.js';

/** Maximum number of rounds until the ranges of the states have to hold; those that do not are unknown after that. */
const MAX_ROUNDS = 4;

/** Access to the values of a document, for `followRounds`. */
export interface Rounds {
  get(scope: Scope, name: string): Ranges | undefined;
  set(scope: Scope, name: string, value: Ranges): void;
  /**
   * Ranges of the body's states, by name; empty at first. A body inside another body starts with those that it had in the
   * outer body's last round: so the rounds of nested bodies add up, and do not multiply.
   */
  readonly states: Map<string, Ranges>;
  /** Walks a body whose inputs are set. Only what the last walk finds holds for every round. */
  walk(body: Scope): void;
}

/** Returns ranges that hold both; an end that moved becomes infinite, so that rounds come to an end. */
function widened(before: Ranges, after: Ranges): Ranges {
  const both = rangesOfAny([before, after]);
  const widen = (range: 'was' | 'is') => ({
    low: both[range].low < before[range].low ? Number.NEGATIVE_INFINITY : both[range].low,
    high: both[range].high > before[range].high ? Number.POSITIVE_INFINITY : both[range].high,
  });
  return combined(widen('was'), widen('is'), [before, after]);
}

const areEqual = (a: Ranges, b: Ranges) => isEqual(a.was, b.was) && isEqual(a.is, b.is);

/**
 * Follows ranges through the body of a Loop, Scan or SequenceMap, round by round until those of its states hold for every round, and
 * out of it.
 */
export function followRounds(scope: Scope, node: Node, body: Scope, rounds: Rounds): void {
  const { states } = rounds;
  for (const [slot, name] of node.inputs.entries())
    for (const place of enter(node, slot))
      if (place.scope === body) {
        const [before, now] = [states.get(place.name), rounds.get(scope, name) ?? UNKNOWN];
        const both = before === undefined ? now : rangesOfAny([before, now]);
        if (before === undefined || !areEqual(before, both)) states.set(place.name, both);
      }

  /** Returns what an output of the body gives to the next round, with the input that takes it. */
  const next = (slot: number) => {
    const to = leave(body, slot).find((place) => place.scope === body)?.name;
    const name = body.outputs[slot]?.name ?? '';
    return { to, value: rounds.get(body, name) ?? UNKNOWN };
  };
  for (let round = 0, isStable = false; !isStable; round++) {
    for (const [name, value] of states) rounds.set(body, name, value);
    rounds.walk(body);
    isStable = true;
    for (const slot of body.outputs.keys()) {
      const { to, value } = next(slot);
      const before = to === undefined ? undefined : states.get(to);
      if (to === undefined || before === undefined) continue;
      const after = round < MAX_ROUNDS ? widened(before, value) : UNKNOWN;
      if (areEqual(before, after)) continue;
      states.set(to, after);
      isStable = false;
    }
  }
  for (const slot of body.outputs.keys()) {
    const { to, value } = next(slot);
    const name = leave(body, slot)[0]?.name ?? '';
    // Without a round, a state is what it was.
    if (name !== '')
      rounds.set(scope, name, to === undefined ? value : rangesOfAny([states.get(to) ?? UNKNOWN, value]));
  }
}
