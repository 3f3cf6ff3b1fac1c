import { OnnxMishError } from '../../base/error.js';
import { print, printError } from './stdout.js';
import { clean, cleanJson } from './text.js';

/** Whether a model or a report goes to standard output, and text to standard error. */
let isOutputTaken = false;
/** Whether the JSON document of --json is printed. There is only one, also if an error follows. */
let isJsonPrinted = false;
let isQuiet = false;
let onOneLine = false;

/** Resets this module for another command in the same process: text goes to standard output, JSON has several lines. */
export function renewWords(): void {
  isOutputTaken = false;
  isJsonPrinted = false;
  isQuiet = false;
  onOneLine = false;
}

/** Prints no further text, note or progress; JSON documents and errors stay. */
export function beQuiet(): void {
  isQuiet = true;
}

/** Returns whether the command was told to be quiet. */
export const isSilent = (): boolean => isQuiet;

/** Sends all further text to standard error, because a report goes to standard output. */
export function giveOutputToReport(): void {
  isOutputTaken = true;
}

/** Sends all further text to standard error, because a model goes to standard output. Throws `bad-usage` on a terminal. */
export function giveOutputToModel(): void {
  isOutputTaken = true;
  if (!process.stdout.isTTY) return;
  throw new OnnxMishError('bad-usage', 'a model is binary, and standard output is a terminal', {
    fix: 'Redirect standard output, or name a file with -o',
  });
}

/** Prints each further JSON document on a single line, since there may be many. */
export function lineEach(): void {
  onOneLine = true;
}

/** Prints text to standard output, or to standard error if a model or report goes to standard output. */
export function say(text: string): void {
  if (!isQuiet) output(text);
}

function output(text: string): void {
  if (isOutputTaken) printError(`${text}\n`);
  else print(`${text}\n`);
}

/** Prints a note about the results to standard error. */
export function sayNote(text: string): void {
  if (!isQuiet) printError(`note: ${clean(text)}\n`);
}

/** Formats a JSON document as --json prints it. */
export function jsonText(document: unknown): string {
  return cleanJson(onOneLine ? JSON.stringify(document) : JSON.stringify(document, null, 2));
}

/** Prints a JSON document of --json. */
export function sayJson(document: unknown): void {
  isJsonPrinted = true;
  output(jsonText(document));
}

/** Prints an error as the JSON document of --json, except after the document of the result. */
export function sayErrorJson(error: unknown): void {
  if (!isJsonPrinted || onOneLine) sayJson({ error });
}
