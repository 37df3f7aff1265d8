"""The rows as a table for people and as JSON."""

import json
from pathlib import Path

from harness.row import Outcome, Row

# The rest of the machine used more than this share of it just before a row, or its host took more than this away.
NOISY = 0.10
NEAR_ONE = 0.002  # Ratios this near to 1 are shown to the millionth: they are those of rates and clocks.


def as_json(row: Row, outcome: Outcome, noise: dict) -> dict:
    """One member of "rows": the first seven are always there."""
    sides = {}
    for name, values in (("weir", outcome.weir), ("peer", outcome.peer)):
        sides[f"{name}_min"] = min(values) if values else None
        sides[f"{name}_max"] = max(values) if values else None
    mets = [check.met for check in outcome.checks if check.met is not None]
    return {
        "name": row.name,
        "unit": row.unit,
        "weir": outcome.of(outcome.weir),
        "peer": row.peer,
        "peer_value": outcome.of(outcome.peer) if outcome.peer else None,
        "ratio": outcome.ratio,
        "rounds": len(outcome.weir),
        **sides,
        "quantile": outcome.share,
        "met": all(mets) if mets else None,
        "checks": [check.as_json() for check in outcome.checks],
        **noise,
        **outcome.details,
    }


def write_json(path: str, rows: list[dict]) -> None:
    Path(path).write_text(json.dumps({"rows": rows}, indent=1) + "\n")


def number(value: float | None) -> str:
    """Four significant digits, in millions or thousands where that is shorter."""
    if value is None:
        return "-"
    if value != 1 and abs(value - 1) < NEAR_ONE:
        return f"{value:.6f}"
    for limit, divisor, unit in ((1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if abs(value) >= limit:
            return f"{value / divisor:.4g}{unit}"
    return f"{value:.4g}" if abs(value) < 1 or abs(value) >= 10 else f"{value:.3f}".rstrip("0").rstrip(".")


def spread(row: dict, side: str) -> str:
    value = row["weir"] if side == "weir" else row["peer_value"]
    if value is None:
        return "-"
    low, high = row[f"{side}_min"], row[f"{side}_max"]
    return number(value) if low == high else f"{number(value)} ({number(low)} - {number(high)})"


def verdict(met: bool | None) -> str:
    return {True: "met", False: "NOT MET", None: ""}[met]


def is_noisy(row: dict) -> bool:
    return row["others_busy"] > NOISY or row["stolen"] > NOISY


def exactly(value: float) -> str:
    """A figure that is held against a bar."""
    if abs(value - 1) < NEAR_ONE:
        return f"{value:.6f}"
    return f"{value:.2g}" if abs(value) < 0.01 else f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def table(rows: list[dict]) -> str:
    """Columns as wide as they need to be; a line for each further figure of a row."""
    lines = [("row", "unit", "Weir (min - max)", "peer (min - max)", "beside", "figure", "bar", "")]
    for row in rows:
        first, *more = row["checks"]
        name = row["name"] + (" *" if is_noisy(row) else "")
        head = (name, row["unit"], spread(row, "weir"), spread(row, "peer"), row["peer"] or "-")
        lines.append((*head, exactly(first["value"]), first["bar"] or "-", verdict(first["met"])))
        for check in more:
            lines.append(("", "", check["what"], "", "", exactly(check["value"]), check["bar"] or "-", verdict(check["met"])))
    # A further figure's description reaches over the columns it does not need.
    widths = [max(len(line[column]) for line in lines if line[0] or column in (5, 6)) for column in range(8)]
    text = []
    for line in lines:
        if line[0]:
            cells = [cell.rjust(width) if column in (5,) else cell.ljust(width)
                     for column, (cell, width) in enumerate(zip(line, widths))]  # fmt: skip
            text.append("  ".join(cells).rstrip())
        else:
            room = sum(widths[:5]) + 2 * 4
            text.append(f"{'    ' + line[2]:{room}}  {line[5]:>{widths[5]}}  {line[6]:{widths[6]}}  {line[7]}".rstrip())
    if any(is_noisy(row) for row in rows):
        text.append("* the machine was busy with other things: more than 10 % of it just before the row, or taken by its host.")
    return "\n".join(text)
