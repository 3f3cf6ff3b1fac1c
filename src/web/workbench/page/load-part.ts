/**
 * Loads code of the page. Asks for the page first: a browser that could not load a module does not try that module again before the
 * page is reloaded. A copy in the browser's cache would not show that the server answers.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  const { ok, status } = await fetch(location.href, { cache: 'no-store' });
  if (!ok) throw new Error(`the server answers ${status}`);
  return load();
}
