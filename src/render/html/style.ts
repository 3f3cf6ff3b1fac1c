/** Style of a page. Charts take their colours from its variables, which differ between light and dark. */
export const STYLE = `
:root { color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --line: #d9dde3; --ink: #1b1f24; --soft: #59626d;
  --good: #00703c; --bad: #b3261e; --warn: #8a5200; --good-back: #e2f3ea; --bad-back: #fbe7e5; --warn-back: #fbf0dc;
  --c0: #0072b2; --c1: #d55e00; --c2: #00845f; --c3: #a8478a; --c4: #8a6d00; --c5: #3a8fbf; --c6: #5b5bd6; --c7: #59626d; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0e1116; --card: #171b22; --line: #323a45; --ink: #e8ebef; --soft: #9ba6b2;
  --good: #5fd394; --bad: #ff8f85; --warn: #f2b457; --good-back: #12321f; --bad-back: #3c1815; --warn-back: #38280d;
  --c0: #56b4e9; --c1: #f28e3c; --c2: #2fc79a; --c3: #e08fc4; --c4: #e6d047; --c5: #9ad1f0; --c6: #a9a6ff; --c7: #9ba6b2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 64px; max-width: 1320px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 26px; line-height: 1.25; margin: 2px 0 10px; font-weight: 650; }
h1 i { font-style: normal; color: var(--soft); font-weight: 400; padding: 0 2px; }
h2 { font-size: 19px; margin: 36px 0 12px; font-weight: 650; }
h3 { font-size: 15px; margin: 0; font-weight: 650; color: var(--ink); } h3.above { margin: 20px 0 8px; }
p { margin: 6px 0; } .soft, figcaption { color: var(--soft); font-size: 13px; }
.eyebrow { color: var(--soft); font-size: 13px; margin: 0; }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 370px), 1fr)); align-items: stretch; }
.grid:has(> :nth-child(4):last-child) { grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
.grid + .wide { margin-top: 16px; }
.facts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); margin-top: 20px; }
.card, .wide { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; margin: 6px 0 2px; }
.chart > svg, .chart > div { max-width: 640px; margin: 0 auto; }
.chart > .wide-chart { display: none; max-width: none; }
@container (min-width: 800px) { .chart > .narrow-chart { display: none; } .chart > .wide-chart { display: block; } }
.chart { container-type: inline-size; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 8px 0 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
.pill { display: inline-block; padding: 1px 10px; border-radius: 99px; font-size: 13px; font-weight: 650; white-space: nowrap;
  color: var(--soft); background: var(--page); }
.pill.good { color: var(--good); background: var(--good-back); } .pill.bad { color: var(--bad); background: var(--bad-back); }
.pill.warn { color: var(--warn); background: var(--warn-back); }
.conclusion { font-size: 17px; margin: 4px 0 12px; max-width: 80ch; }
.overall { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; } .overall .pill { font-size: 17px; padding: 4px 16px; }
.head { display: flex; justify-content: space-between; gap: 12px; align-items: baseline; }
.scroll { overflow-x: auto; max-height: 70vh; }
table { border-collapse: collapse; font-size: 13px; min-width: min(100%, 720px); overflow-wrap: break-word; }
th { white-space: nowrap; text-align: left; color: var(--soft); font-weight: 500; } th, td { padding: 5px 14px 5px 0; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { position: sticky; top: 0; background: var(--card); vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr > :last-child { padding-right: 4px; } tbody tr:last-child td { border-bottom: 0; }
td { min-width: 3.5em; } .nowrap { white-space: nowrap; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--soft); font-size: 13px; }
ul.notes { margin: 8px 0 0; padding-left: 18px; font-size: 14px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; list-style: none; padding: 0; margin: 6px 0 0; font-size: 13px; } .legend + .grid { margin-top: 12px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; forced-color-adjust: none; }
.surface svg { cursor: grab; touch-action: pan-y; } .turn { display: flex; gap: 10px; align-items: center; margin: 10px 0; font-size: 13px; }
.turn[hidden] { display: none; } .turn input { flex: 1; max-width: 320px; accent-color: var(--c0); }
code { font: 13px/1.4 ui-monospace, monospace; }
.tip { position: fixed; z-index: 1; max-width: min(320px, 90vw); padding: 5px 9px; border-radius: 6px; font-size: 13px; pointer-events: none;
  background: var(--ink); color: var(--card); white-space: pre-line; }
.tip[hidden] { display: none; }
@media (max-width: 520px) { body { padding: 16px 12px 48px; } h1 { font-size: 19px; } .card, .wide { padding: 12px; } }
@media print { body { max-width: none; background: none; } .card { break-inside: avoid; } tr { break-inside: avoid; }
  .scroll { max-height: none; overflow: visible; } thead th { position: static; } }
`;

/** Script of a page: shows the figures of a chart's mark under the pointer. */
export const SCRIPT = `
const tip = document.createElement('div');
tip.className = 'tip';
tip.hidden = true;
document.body.append(tip);
document.addEventListener('pointerover', (event) => {
  const mark = event.target.closest('.chart [aria-label]:not([aria-roledescription=axis])');
  tip.hidden = mark === null;
  if (mark !== null) tip.textContent = mark.getAttribute('aria-label');
});
document.addEventListener('pointermove', (event) => {
  if (tip.hidden) return;
  const { offsetWidth: width, offsetHeight: height } = tip;
  tip.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4)) + 'px';
  tip.style.top = Math.max(4, event.clientY - height - 12) + 'px';
});
`;
