/** Options of a swap that choose its sites and what is written at them. */
const CHOICES = [
  'to',
  'alpha',
  'only',
  'include',
  'exclude',
  'form',
  'target',
  'beta',
  'leaky',
  'strict',
] as const;

type Choice = (typeof CHOICES)[number];

/** Returns the choices of a swap among other options, such as those of a command. */
export function swapChoices<T extends Partial<Record<Choice, unknown>>>(
  options: T,
): Pick<T, Choice & keyof T> {
  const given = CHOICES.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]])) as Pick<T, Choice & keyof T>;
}
