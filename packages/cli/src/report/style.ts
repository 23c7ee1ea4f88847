/** The page's style sheet. Colours keep a contrast of 4.5 to 1 for text and 3 to 1 for lines, in both schemes. */
export const STYLE = `
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --quiet: #57606a; --edge: #d0d7de; --card: #f6f8fa;
  --a: #0b5fff; --b: #b35900; --c: #1a7f37; --d: #8250df; --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0f1318; --text: #e6edf3; --quiet: #9aa5b1; --edge: #303a45; --card: #171d24;
    --a: #6cb0ff; --b: #f0a84e; --c: #56d364; --d: #c297ff; --bad: #ff7b72; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; }
.quiet { color: var(--quiet); }
.bad { color: var(--bad); }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
dl.figures div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: .6rem .8rem; }
dt { color: var(--quiet); font-size: .85rem; }
dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
figure { margin: .5rem 0 0; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; font-family: inherit; }
svg text.label { fill: var(--text); }
.grid { stroke: var(--edge); stroke-width: 1; }
.mark { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 2 3; opacity: .6; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); stroke-dasharray: 6 3; } .line.c { stroke: var(--c); }
.bar.a { fill: var(--a); } .bar.b { fill: var(--b); } .bar.c { fill: var(--c); } .bar.d { fill: var(--d); }
ul.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: .5rem 0 0; padding: 0; font-size: .9rem; }
ul.key li::before { content: ""; display: inline-block; width: 1.4em; height: .7em; margin-right: .45em; border-radius: 2px; }
li.a::before { background: var(--a); } li.b::before { background: var(--b); }
li.c::before { background: var(--c); } li.d::before { background: var(--d); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; margin-top: .5rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .25rem; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--edge); white-space: nowrap; }
th { font-weight: 600; }
th.name, td.name { text-align: left; }
td.within { padding-left: 1.8rem; }
summary { cursor: pointer; margin-top: .75rem; color: var(--quiet); }
@media print { details > * { display: block; } body { max-width: none; } }
`;
