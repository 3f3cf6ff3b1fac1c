import { OnnxMishError } from '../../base/error.js';
import { print } from './stdout.js';
import { clean, cleanJson } from './text.js';

let isGiven = false;
let onOneLine = false;

/** From here on words go to standard output again, and a document has lines: another command begins. */
export function renewWords(): void {
  isGiven = false;
  onOneLine = false;
}

/** From here on standard output carries a text file that the user wants there, and words go to standard error. */
export function giveStandardOutputToText(): void {
  isGiven = true;
}

/** From here on standard output carries a model, and words go to standard error. Throws `bad-usage` on a terminal. */
export function giveStandardOutput(): void {
  isGiven = true;
  if (!process.stdout.isTTY) return;
  throw new OnnxMishError('bad-usage', 'a model is binary, and standard output is a terminal', {
    fix: 'Redirect it, or name a file with -o',
  });
}

/** From here on a document of --json is one line, since there may be many. */
export function lineEach(): void {
  onOneLine = true;
}

/** Prints what the command has to say. */
export function say(text: string): void {
  if (isGiven) console.error(text);
  else print(`${text}\n`);
}

/** Tells on standard error what a reader of the results has to know. */
export function sayNote(text: string): void {
  console.error(`note: ${clean(text)}`);
}

/** A document as --json prints it. */
export function jsonText(document: unknown): string {
  return cleanJson(onOneLine ? JSON.stringify(document) : JSON.stringify(document, null, 2));
}

/** Prints a JSON document of --json. */
export function sayJson(document: unknown): void {
  say(jsonText(document));
}
