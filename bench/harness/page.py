"""The rows and the plots as one HTML page that needs nothing else: inline SVG, light and dark."""

import math
import platform
import time
from html import escape
from pathlib import Path

from harness.report import exactly, is_noisy, number, spread, verdict
from harness.sweep import Plot

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --faint: #d5d9de; --ground: #fff; --a: #0b62c4; --b: #c2560c;
        --good: #17703a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --faint: #3a4148; --ground: #14171a; --a: #6cb2ff; --b: #ffa163; --good: #6fd08c; --bad: #ff8a80; }
}
body { background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; max-width: 70rem;
       margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--faint); vertical-align: top; }
td.figure { text-align: right; }
.more td { border-bottom-style: dotted; font-size: .9em; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.scroll { overflow-x: auto; }
figure { margin: 2rem 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--faint); } .range { stroke: var(--ink); stroke-width: 1; opacity: .6; }
.s0 { stroke: var(--a); fill: var(--a); } .s1 { stroke: var(--b); fill: var(--b); }
.line { fill: none; stroke-width: 2; } .bar { stroke: var(--bad); stroke-dasharray: 3 3; }
"""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 300, 70, 20, 30, 45


def steps(highest: float) -> list[float]:
    """Round numbers from 0 to above the highest, for an axis."""
    size = 10 ** math.floor(math.log10(highest))
    step = next(size * part for part in (0.2, 0.5, 1, 2) if highest / (size * part) <= 6)
    return [step * i for i in range(math.ceil(highest / step) + 1)]


def plot_svg(plot: Plot) -> str:
    """Lines over a logarithmic x axis, with a mark at each measurement."""
    ticks = steps(max(value for series in plot.series for value in series.values))
    low, high = math.log2(plot.x[0]), math.log2(plot.x[-1])

    def at_x(value: float) -> float:
        return LEFT + (math.log2(value) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - value / ticks[-1] * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}">']
    for tick in ticks:
        y = at_y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for value in plot.x:
        parts.append(f'<text x="{at_x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(plot.x_label)}</text>')
    parts.append(f'<text x="{LEFT}" y="14">{escape(plot.y_label)}</text>')
    for index, series in enumerate(plot.series):
        points = [(at_x(x), at_y(y)) for x, y in zip(plot.x, series.values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="s{index} line" points="{path}"/>')
        for (x, y), value in zip(points, series.values):
            parts.append(f'<circle class="s{index}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{number(value)}</title></circle>')
        x = LEFT + 110 + index * 230
        parts.append(f'<circle class="s{index}" cx="{x}" cy="10" r="4"/><text x="{x + 9}" y="14">{escape(series.name)}</text>')
    return "".join(parts) + "</svg>"


def ranges_svg(row: dict) -> str:
    """Both sides' rounds on one scale from 0: smallest to largest, and what stands for the side."""
    sides = [("weir", row["weir"]), ("peer", row["peer_value"])]
    highest = max(row[f"{side}_max"] for side, value in sides if value is not None) or 1
    width, parts = 180, ['<svg viewBox="0 0 184 26" style="width:184px" role="img" aria-label="range of the rounds">']
    for index, (side, value) in enumerate(sides):
        if value is None:
            continue
        y = 7 + 12 * index
        low, middle, high = (2 + at / highest * width for at in (row[f"{side}_min"], value, row[f"{side}_max"]))
        parts.append(f'<line class="grid" x1="2" x2="{width + 2}" y1="{y}" y2="{y}"/>')
        parts.append(f'<line class="s{index}" stroke-width="3" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="s{index}" cx="{middle:.1f}" cy="{y}" r="4"/>')
    return "".join(parts) + "</svg>"


def cells(check: dict) -> str:
    style = {True: "good", False: "bad", None: ""}[check["met"]]
    return (
        f'<td class="figure">{exactly(check["value"])}</td><td>{escape(check["bar"] or "")}</td>'
        f'<td class="{style}">{verdict(check["met"])}</td>'
    )


def rows_html(rows: list[dict]) -> str:
    lines = []
    for row in rows:
        first, *more = row["checks"]
        noisy = ' <abbr title="the machine was busy with other things">*</abbr>' if is_noisy(row) else ""
        lines.append(
            f"<tr><td>{escape(row['name'])}{noisy}</td><td>{escape(row['unit'])}</td><td>{spread(row, 'weir')}</td>"
            f"<td>{spread(row, 'peer')}<br>{escape(row['peer'] or '')}</td><td>{ranges_svg(row)}</td>{cells(first)}</tr>"
        )
        for check in more:
            lines.append(f'<tr class="more"><td></td><td colspan="4">{escape(check["what"])}</td>{cells(check)}</tr>')
    return "\n".join(lines)


def write_page(path: str, rows: list[dict], plots: list[Plot]) -> None:
    figures = "\n".join(
        f"<figure><figcaption>{escape(plot.title)}</figcaption>{plot_svg(plot)}</figure>" for plot in plots
    )
    Path(path).write_text(f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weir beside its peers</title><style>{STYLE}</style></head><body>
<h1>Weir beside its peers</h1>
<p>{time.strftime("%Y-%m-%d %H:%M %Z")}, {escape(platform.machine())}, Linux {escape(platform.release())}. Both sides ran by
turns on the same CPUs and devices: only ratios can be compared with other runs. Each side's line reaches from its smallest to
its largest round, the dot is the median (memif: the 75th percentile). * marks rows before or during which the machine
was busy with other things.</p>
<div class="scroll"><table><thead><tr><th>row</th><th>unit</th><th>Weir (min - max)</th><th>peer (min - max)</th>
<th>rounds</th><th>figure</th><th>bar</th><th></th></tr></thead><tbody>
{rows_html(rows)}
</tbody></table></div>
{figures}
</body></html>
""")
