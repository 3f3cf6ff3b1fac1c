/**
 * Whatever acts on a terminal rather than being shown there: controls, separators of lines and paragraphs, format characters (of which
 * those for two directions can turn a text round), and halves of pairs.
 */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');

/** Makes text from a file harmless on a terminal: spells out each character that acts there. */
export function clean(text: string): string {
  return text.replace(ACTS, escaped);
}

/** Makes JSON harmless on a terminal without changing its value: keeps line breaks, which occur only between its texts. */
export function cleanJson(json: string): string {
  return json.replace(ACTS, (character) => (character === '\n' ? character : escaped(character)));
}
