/** How a report looks: light, dark and printed. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --paper: #ffffff; --line: #d8dee4; --soft: #f3f5f7;
  --good: #116329; --bad: #b3261e; --bar: #3b6ea5; --seen: #8250df;
  --c0: #3b6ea5; --c1: #2f8f5b; --c2: #b7791f; --c3: #8250df; --c4: #57606a; --c5: #c2527a; --c6: #1b8a9b; --c7: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa4af; --paper: #11151a; --line: #343c46;
  --soft: #1a2027; --good: #4ac26b; --bad: #ff7b72; --bar: #6ea8e0; --seen: #b794f6;
  --c0: #6ea8e0; --c1: #56c28a; --c2: #e0b050; --c3: #b794f6; --c4: #9aa4af; --c5: #e58bab; --c6: #5cc6d6; --c7: #d4a72c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 24px 64px; }
.kicker { margin: 0; color: var(--dim); letter-spacing: .04em; text-transform: uppercase; font-size: 12px; }
h1 { margin: 4px 0 12px; font-size: 40px; line-height: 1.1; } h1.good { color: var(--good); } h1.bad { color: var(--bad); }
h2 { margin: 36px 0 10px; padding-top: 10px; border-top: 1px solid var(--line); font-size: 20px; }
h3 { margin: 14px 0 4px; font-size: 15px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 12px 0; }
dt { color: var(--dim); } dd { margin: 0; min-width: 0; }
ul { list-style: none; margin: 0; padding: 0; } li { padding: 3px 0 3px 24px; position: relative; }
ul.yes li::before { content: "\\2713"; color: var(--good); position: absolute; left: 4px; }
ul.no li::before { content: "\\2013"; color: var(--dim); position: absolute; left: 5px; }
.damage { border-left: 4px solid var(--bad); background: var(--soft); padding: 10px 14px; margin: 12px 0; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; } code.long { font-size: 11px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: left; color: var(--dim); font-weight: 600; } th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { width: 100%; height: auto; display: block; margin: 8px 0; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .grid { stroke: var(--line); } svg .bar { fill: var(--bar); } svg .made { fill: var(--bar); } svg .seen { fill: var(--seen); }
${Array.from({ length: 8 }, (_, index) => `svg .c${index} { fill: var(--c${index}); }`).join("\n")}
@page { margin: 16mm; }
@media print { :root { color-scheme: light; } main { max-width: none; padding: 0; } body { font-size: 11px; }
  section, tr, svg { break-inside: avoid; } section:has(table) { break-inside: auto; } h2, h3 { break-after: avoid; } .wide { overflow: visible; }
  table { font-size: 10px; } code { font-size: 9.5px; } code.long { font-size: 8px; } * { print-color-adjust: exact; } }
`;
