/** Reads a factor for samples: a number, or a quotient of two numbers; undefined for another text, and for 0. */
export function readFactor(text: string): number | undefined {
  const [above = Number.NaN, below = 1, ...more] = text
    .split('/')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const value = above / below;
  return more.length === 0 && Number.isFinite(value) && value !== 0 ? value : undefined;
}
