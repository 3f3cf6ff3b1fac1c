import { sha256 } from '../base/sha256.js';
import { resolveSettings } from '../train/trainer-options.js';
import { INITIAL_RULE_VERSION } from './initial-weights.js';
import type { ExperimentSettings } from './settings.js';

/** Calculates the digest of an experiment from what its runs depend on, and from the rule of the initial weights. */
export function experimentDigest(facts: {
  readonly settings: ExperimentSettings;
  readonly [fact: string]: unknown;
}): Promise<string> {
  const resolved = { ...facts, settings: resolveSettings(facts.settings), initial: INITIAL_RULE_VERSION };
  return sha256(new TextEncoder().encode(JSON.stringify(resolved)));
}
