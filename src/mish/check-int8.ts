import { OnnxMishError } from '../base/error.js';
import { INT8_WAYS, type Int8Way } from './int8-ways.js';
import type { NewActivation } from './new-activation.js';

/** Throws `bad-usage` for an unknown way, and for an activation other than Mish. */
export function checkInt8(way: string, { name, label }: Pick<NewActivation, 'name' | 'label'>): void {
  if (!INT8_WAYS.includes(way as Int8Way)) {
    throw new OnnxMishError('bad-usage', `'${way}' is not a way to swap quantised sites`, {
      fix: `Choose from ${INT8_WAYS.join(', ')}`,
      option: { int8: null },
    });
  }
  if (name === 'mish') return;
  throw new OnnxMishError('bad-usage', `int8 is for Mish, and ${label} is to be written`, {
    fix: 'Leave int8 out, or write mish',
    option: { int8: null },
  });
}
