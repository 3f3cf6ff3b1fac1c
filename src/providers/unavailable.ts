import { OnnxMishError } from '../base/error.js';
import type { Availability } from './provider.js';

/** Converts the error of a provider that is not available; throws other errors again. */
export function unavailable(error: unknown): Extract<Availability, { available: false }> {
  if (!(error instanceof OnnxMishError)) throw error;
  if (error.code !== 'provider-unavailable' && error.code !== 'missing-package') throw error;
  const { what, where, fix = '', option } = error;
  return { available: false, reason: where === undefined ? what : `${what} (${where})`, fix, option };
}
