import type { SwapChoice } from '../protocol.js';

/** Returns the options of a swap at all sites. Form, β and the treatment of LeakyReLU are options of Mish alone. */
export function swapOptions({ to, form, beta, leaky }: Omit<SwapChoice, 'sites'>) {
  return to === undefined ? { form, beta, leaky } : { to };
}
