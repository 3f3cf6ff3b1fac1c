/** Returns a read-only array that computes each element on access, so that a long array takes no more memory. */
export function lazyArray<T>(length: number, at: (index: number) => T): readonly T[] {
  const target: T[] = [];
  target.length = 2 ** 32 - 1; // at this length V8 reserves no memory, not even after the length is reduced
  target.length = length;
  const indexOf = (key: string | symbol) => {
    const index = typeof key === 'string' ? Number(key) : -1;
    return Number.isInteger(index) && index >= 0 && index < length && String(index) === key
      ? index
      : undefined;
  };
  return new Proxy(target, {
    get(array, key, receiver) {
      const index = indexOf(key);
      return index === undefined ? Reflect.get(array, key, receiver) : at(index);
    },
    has: (array, key) => indexOf(key) !== undefined || Reflect.has(array, key),
    getOwnPropertyDescriptor(array, key) {
      const index = indexOf(key);
      if (index === undefined) return Reflect.getOwnPropertyDescriptor(array, key);
      return { value: at(index), configurable: true, enumerable: true, writable: true };
    },
    ownKeys: () => [...Array.from({ length }, (_, index) => String(index)), 'length'],
    set: () => false,
  });
}
