const numbers = new WeakMap<Blob, number>();
let last = 0;

/** Returns a number of its own for each file: two files may have the same name, size and time. */
function numberOf(file: Blob): number {
  const number = numbers.get(file) ?? ++last;
  numbers.set(file, number);
  return number;
}

const textOf = (choice: unknown) =>
  JSON.stringify(choice, (_, value: unknown) => (value instanceof Blob ? numberOf(value) : value));

/** Returns whether two choices are equal, with the same files. */
export function isSame<T>(a: T, b: T): boolean {
  return textOf(a) === textOf(b);
}
