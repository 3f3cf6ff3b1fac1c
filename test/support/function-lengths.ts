import { parseAst } from 'vite';

/** A function of a source file, by the name it is given; `lines` are all from its head to its closing brace. */
export interface FunctionLength {
  readonly name: string;
  readonly lines: number;
}

/** Lists the functions of a source text in TypeScript or TSX, inner ones included. */
export function functionLengths(text: string, lang: 'ts' | 'tsx'): FunctionLength[] {
  const found: FunctionLength[] = [];
  const waiting: [node: unknown, name: string][] = [[parseAst(text, { lang }), '']];
  for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
    const [value, name] = entry;
    if (Array.isArray(value)) for (const item of value) waiting.push([item, name]);
    if (!isNode(value)) continue;
    const given = nameOf(value) ?? name;
    if (/Function/.test(value.type) && isNode(value.body)) {
      found.push({ name: given, lines: text.slice(value.start, value.end).split('\n').length });
    }
    for (const child of Object.values(value)) waiting.push([child, given]);
  }
  return found;
}

interface Node extends Readonly<Record<string, unknown>> {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly body?: unknown;
  readonly name?: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Returns the name that a function, a variable or a property declares. */
function nameOf({ id, key, type }: Node): string | undefined {
  const named = type === 'Property' || type === 'MethodDefinition' ? key : id;
  return isNode(named) && typeof named.name === 'string' ? named.name : undefined;
}
