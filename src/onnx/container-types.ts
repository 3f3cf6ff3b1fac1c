/**
 * Codes of container types. A sequence, optional or map type is a negative number: the low byte of its absolute value is the
 * tensors' element type; above it are the containers, 2 bits each, the outermost lowest. A tensor type is its element
 * type; 0 is unknown.
 */
export const CONTAINER_CODES = { sequence: 1, optional: 2, map: 3 } as const;
/** A kind of container, as its 2 bits. */
export type Container = (typeof CONTAINER_CODES)[keyof typeof CONTAINER_CODES];

/** Limit of the containers' number, which 11 of them reach; types around these are unknown. */
const LEVELS_LIMIT = 4 ** 10;

/** Returns the type of a container of values of this type; 0 for unknown. */
export function wrapType(container: Container, type: number): number {
  const inside = type < 0 ? -type : type;
  const levels = type < 0 ? inside >>> 8 : 0;
  if (type === 0 || type > 255 || levels >= LEVELS_LIMIT) return 0;
  return -((levels * 4 + container) * 256 + (inside & 255));
}

/** Returns the type of a container's content; 0 where the type is not this container. */
export function unwrapType(container: Container, type: number): number {
  const levels = type < 0 ? -type >>> 8 : 0;
  if ((levels & 3) !== container) return 0;
  const element = -type & 255;
  return levels < 4 ? element : -((levels >>> 2) * 256 + element);
}
