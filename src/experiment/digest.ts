import { sha256 } from '../base/sha256.js';
import { INITIAL_RULE_VERSION } from './initial-weights.js';

/** Calculates the digest of an experiment from what its runs depend on, and from the rule of the initial weights. */
export function experimentDigest(facts: object): Promise<string> {
  return sha256(new TextEncoder().encode(JSON.stringify({ ...facts, initial: INITIAL_RULE_VERSION })));
}
