/**
 * Replaces a language that Intl rejects. Chromium in the C locale reports `en-US@posix`, and uPlot passes it to Intl
 * when it loads, which would leave the page empty.
 */
export function settleLanguage(): void {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en-US', configurable: true });
  }
}
