/**
 * Matches characters that act on a terminal: control and format characters, line and paragraph separators, and
 * unpaired surrogates. Some format characters reverse the direction of text.
 */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');

/** Makes text from a file safe to print: replaces each character that acts on a terminal by its \u escape. */
export function clean(text: string): string {
  return text.replace(ACTS, escaped);
}

/** Makes JSON safe to print without changing its value. Line breaks stay: in JSON they occur only outside strings. */
export function cleanJson(json: string): string {
  return json.replace(ACTS, (character) => (character === '\n' ? character : escaped(character)));
}
