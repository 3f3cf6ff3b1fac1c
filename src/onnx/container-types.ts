/**
 * Types of sequences, optionals and maps as one number each: negative, with the element type of the tensors inside in
 * the low byte and above it what is around them, outermost last. Tensors have their element type, and 0 is unknown.
 */
export const CONTAINER = { sequence: 1, optional: 2, map: 3 } as const;
export type Container = (typeof CONTAINER)[keyof typeof CONTAINER];

/** As deep as types are told apart; what is nested deeper is unknown. */
const DEEPEST = 4 ** 10;

/** The type of a container of values of this type; 0 where that cannot be told. */
export function wrapType(container: Container, type: number): number {
  const inside = type < 0 ? -type : type;
  const levels = type < 0 ? inside >>> 8 : 0;
  if (type === 0 || type > 255 || levels >= DEEPEST) return 0;
  return -((levels * 4 + container) * 256 + (inside & 255));
}

/** The type of what a container holds; 0 where the type is not of this container. */
export function unwrapType(container: Container, type: number): number {
  const levels = type < 0 ? -type >>> 8 : 0;
  if ((levels & 3) !== container) return 0;
  const element = -type & 255;
  return levels < 4 ? element : -((levels >>> 2) * 256 + element);
}
