import { CONTAINER_CODES, type Container, unwrapType, wrapType } from './container-types.js';
import type { Attribute } from './document.js';
import { OPERATOR_TYPES } from './operator-types.js';
import { DataType } from './types.js';

/*
 * A signature describes the types of an operator's inputs and outputs: `aH*>a` reads "the first input and the first
 * output have the same type, every further input is int64". It has a term per input and, after `>`, per output:
 *
 *   a to z     a variable: the same letter is the same type
 *   A to Z     an element type: A plus its ONNX number, so B is float32 and H is int64
 *   .          any type; inputs and outputs after the last term also have any type
 *   [a ?a <a   a sequence, an optional, a map of it
 *   !a         `a`, or an optional of `a`
 *   ^a         string if `a` is int64, and int64 if `a` is string
 *   {to|a|B}   the first that applies: the type in the attribute `to`, the variable `a` if an input has it, float32.
 *              `value_ints:H` is int64 if the attribute exists; `cast_to=TO_STRING:I` if it has this value
 *   *          at the end: the last term repeats
 *   %4         the further inputs form four groups of equal length; the n-th members of all groups have the same type
 *   %          the outputs form such groups
 */

export interface Term {
  /** Container signs around the type, outermost first. */
  readonly around: string;
  /** The element type; 0 for none. */
  readonly type: number;
  /** The number of the variable; -1 for none. */
  readonly variable: number;
  readonly choices?: readonly Choice[];
}

interface Choice {
  readonly attribute?: string;
  readonly value?: string | undefined;
  readonly term?: Term | undefined;
}

export interface Side {
  readonly terms: readonly Term[];
  readonly repeats: boolean;
  /** Number of groups after the terms; 0 for none, NaN for outputs grouped like the inputs. */
  readonly groups: number;
}

export interface Signature {
  readonly inputs: Side;
  readonly outputs: Side;
}

const VARIABLES = 26;
const ANY: Term = { around: '', type: 0, variable: -1 };
const TERM = /([[?<!^]*)(?:([a-z])|([A-Z.])|\{([^}]*)\})(\*?)|%(\d?)/g;

const codeIn = (letter: string, first: string) => letter.charCodeAt(0) - first.charCodeAt(0);

function simpleTerm(around: string, letter: string): Term {
  if (letter === '.') return ANY;
  if (letter >= 'a') return { around, type: 0, variable: codeIn(letter, 'a') };
  return { around, type: codeIn(letter, 'A'), variable: -1 };
}

function parseChoice(text: string): Choice {
  if (text.length === 1) return { term: simpleTerm('', text) };
  const [condition = '', letter] = text.split(':');
  const [attribute = '', value] = condition.split('=');
  return { attribute, value, term: letter === undefined ? undefined : simpleTerm('', letter) };
}

function parseSide(text: string): Side {
  const terms: Term[] = [];
  let [repeats, groups] = [false, 0];
  for (const [, around = '', variable, fixed, choices, star, count] of text.matchAll(TERM)) {
    if (count !== undefined) groups = count === '' ? Number.NaN : Number(count);
    else if (choices !== undefined)
      terms.push({ ...ANY, around, choices: choices.split('|').map(parseChoice) });
    else terms.push(simpleTerm(around, variable ?? fixed ?? '.'));
    repeats = star === '*';
  }
  return { terms, repeats, groups };
}

const parsed = new Map<string, Signature>();

function parseSignature(text: string): Signature {
  let signature = parsed.get(text);
  if (signature === undefined) {
    const [inputs = '', outputs = ''] = text.split('>');
    signature = { inputs: parseSide(inputs), outputs: parseSide(outputs) };
    parsed.set(text, signature);
  }
  return signature;
}

/** Signatures of an operator by first version of the domain, in ascending order. */
type Versions = [from: number, signature: string][];
const domains = new Map<string, Map<string, Versions>>();
let tables = OPERATOR_TYPES;

/** Loads the signatures of other domains if the model imports such a domain. Most models do not. */
export async function loadSignatures(imported: Iterable<string>): Promise<void> {
  if (tables !== OPERATOR_TYPES || ![...imported].some((domain) => /^(ai\.onnx|com\.m)/.test(domain))) return;
  const { MORE_OPERATOR_TYPES } = await import('./more-operator-types.js');
  tables = { ...OPERATOR_TYPES, ...MORE_OPERATOR_TYPES };
}

function operatorsOf(domain: string): Map<string, Versions> | undefined {
  const known = domains.get(domain);
  if (known !== undefined || !Object.hasOwn(tables, domain)) return known;
  const operators = new Map<string, Versions>();
  for (const line of (tables[domain] ?? '').split('\n')) {
    const [signature = '', ...names] = line.split(' ');
    for (const entry of names) {
      const [name = '', from = 0] = entry.split('@');
      const versions = operators.get(name) ?? [];
      versions.push([Number(from), signature]);
      operators.set(name, versions);
    }
  }
  for (const versions of operators.values()) versions.sort(([one], [other]) => one - other);
  domains.set(domain, operators);
  return operators;
}

/** Returns whether a domain has an operator of this name. The signatures of the domain must be loaded. */
export const isBuiltIn = (domain: string, opType: string) => operatorsOf(domain)?.has(opType) === true;

/** Returns the signature of an operator in this version of its domain; undefined without a schema. */
export function signatureOf(domain: string, opType: string, version: number): Signature | undefined {
  const versions = operatorsOf(domain)?.get(opType);
  if (versions === undefined) return undefined;
  let found = versions[0]?.[1];
  for (const [from, signature] of versions) if (from <= version) found = signature;
  return found === undefined ? undefined : parseSignature(found);
}

/** Returns the number of members per group of a node's inputs; 0 without groups. */
export function membersOf({ inputs }: Signature, count: number): number {
  const members = (count - inputs.terms.length) / inputs.groups;
  return inputs.groups > 0 && Number.isInteger(members) ? members : 0;
}

/** Returns the term of an input or output; `members` is the number of members per group. */
export function termAt({ terms, repeats, groups }: Side, at: number, members: number): Term | undefined {
  if (at < terms.length) return terms[at];
  if (repeats) return terms.at(-1);
  if (groups === 0 || members === 0) return undefined;
  return { around: '', type: 0, variable: VARIABLES + ((at - terms.length) % members) };
}

/** Returns the names of the attributes that decide a type. */
export function decidingAttributes({ outputs }: Signature): string[] {
  return outputs.terms.flatMap(({ choices = [] }) => choices.flatMap(({ attribute = [] }) => attribute));
}

/**
 * Resolves the choices of a term; undefined for an unknown type. `find` returns an attribute of the node, undefined if absent,
 * null if unknown; `has` returns whether an input has a variable.
 */
export function choose(
  { choices = [], around }: Term,
  find: (name: string) => Attribute | null | undefined,
  has: (variable: number) => boolean,
): Term | undefined {
  for (const { attribute, value, term } of choices) {
    if (attribute === undefined) {
      if (term !== undefined && (term.variable < 0 || has(term.variable))) return { ...term, around };
      continue;
    }
    const found = find(attribute);
    if (found === null) return undefined;
    if (found === undefined || isEmptyList(found)) continue;
    if (value !== undefined && value !== found.s && value !== `${found.i}`) continue;
    const chosen = term ?? { type: typeGivenBy(found), variable: -1 };
    // An element type of 0 stands for an absent attribute.
    if (chosen.type !== 0 || chosen.variable >= 0) return { ...chosen, around };
  }
  return undefined;
}

/** AttributeProto.AttributeType of a list of texts. */
const STRINGS = 8;

/** Returns whether an attribute is an empty list of texts, which counts as absent. */
function isEmptyList({ type, strings }: Attribute): boolean {
  return type === STRINGS && strings === undefined;
}

function typeGivenBy({ tensor, i, s = '' }: Attribute): number {
  const named = Object.hasOwn(DataType, s) ? DataType[s as keyof typeof DataType] : 0;
  return tensor?.elemType ?? (i || Number(named));
}

const AROUND: Readonly<Record<string, Container>> = {
  '[': CONTAINER_CODES.sequence,
  '?': CONTAINER_CODES.optional,
  '<': CONTAINER_CODES.map,
};

/** Wraps the type of a term in its containers; 0 is unknown. */
export function typeAround(around: string, type: number): number {
  let whole = type;
  for (let at = around.length; at-- > 0; ) {
    const sign = around[at] ?? '';
    const container = AROUND[sign];
    if (container !== undefined) whole = wrapType(container, whole);
    else if (sign === '^') whole = mapped(whole);
    else whole = 0; // '!': either the value or an optional
  }
  return whole;
}

/** Unwraps the containers of a value's type to the type of its term; 0 is unknown. */
export function typeInside(around: string, type: number): number {
  let inside = type;
  for (const sign of around) {
    const container = AROUND[sign];
    if (container !== undefined) inside = unwrapType(container, inside);
    else if (sign === '^') inside = mapped(inside);
    else inside = unwrapType(CONTAINER_CODES.optional, inside) || inside;
  }
  return inside;
}

function mapped(type: number): number {
  if (type === DataType.INT64) return DataType.STRING;
  return type === DataType.STRING ? DataType.INT64 : 0;
}
