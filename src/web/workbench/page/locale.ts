/**
 * Gives the browser a language that Intl takes. Chromium in the C locale calls its own `en-US@posix`, which Intl refuses, and
 * uPlot hands it over as soon as it loads: the page would stay empty.
 */
export function settleLanguage(): void {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
  }
}
