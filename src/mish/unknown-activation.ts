import { OnnxMishError } from '../base/error.js';
import { REPLACEMENTS } from './activation-kinds.js';

/** Returns the error for the name of an activation that a swap does not write. */
export function unknownActivation(name: string): OnnxMishError {
  return new OnnxMishError('bad-usage', `'${name}' is not an activation to write`, {
    fix: `Choose from ${REPLACEMENTS.join(', ')}; silu is another name of swish`,
  });
}
