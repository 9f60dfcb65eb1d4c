"""What an evaluation found, and how it is written: JSON, CSV, PNG and one page to look at."""

import csv
import dataclasses
import html
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | None

_FIGURE_DPI = 110


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under a header; NaN and None are cells without a value."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclasses.dataclass(frozen=True)
class Report:
    """Numbers, tables and figures by name; the first table is the summary and is shown first.

    Tables in `files`, such as the scores of a video, are written as CSV and linked to, not shown.
    """

    scalars: dict[str, float]
    tables: dict[str, Table]
    figures: dict[str, "Figure"]
    files: dict[str, Table] = dataclasses.field(default_factory=dict)


def joined(*reports: Report) -> Report:
    """All of them as one, in their order."""
    parts = {"scalars": {}, "tables": {}, "figures": {}, "files": {}}
    for report in reports:
        for name, part in parts.items():
            part |= getattr(report, name)
    return Report(**parts)


def comparison_table(
    figures: Mapping[str, Mapping[str, float]], columns: Mapping[str, str], first: str = "method"
) -> Table:
    """One row a method, one column a figure of merit.

    Args:
        figures: method -> metric name -> value; a metric that a method lacks is an empty cell.
        columns: metric name -> heading.
        first: heading of the methods' column.
    """
    rows = [[name, *(values.get(key) for key in columns)] for name, values in figures.items()]
    return Table([first, *columns.values()], rows)


def score_table(
    scores: np.ndarray,
    normalised: np.ndarray,
    labels: np.ndarray | None = None,
    timestamps: np.ndarray | None = None,
) -> Table:
    """A video's frames: number (from 1), time in seconds if known, both scores, label if known.

    Args:
        scores: (n,), NaN where unscored, as are `normalised` (n,).
        labels: (n,), 0, 1 or -1 (unlabelled, an empty cell).
        timestamps: (n,) seconds.
    """
    columns = {"frame": range(1, len(scores) + 1)}
    if timestamps is not None:
        columns["timestamp"] = [float(t) for t in timestamps]
    columns["score"] = [float(s) for s in scores]
    columns["score_normalised"] = [float(s) for s in normalised]
    if labels is not None:
        columns["label"] = [None if y < 0 else int(y) for y in labels]
    return Table(list(columns), list(zip(*columns.values(), strict=True)))


def format_table(table: Table) -> str:
    """The table for a terminal: aligned columns, three decimals, n/a where there is no value."""
    cells = [list(table.header), *([_show(c) for c in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_align(row, widths) for row in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def log_summary(report: Report, source: Path, output: Path | None) -> None:
    """Shows the first table of what was scored from a source, and where the page about it is."""
    title, table = next(iter(report.tables.items()))
    logging.info("%s of %s\n%s", title, source, format_table(table))
    if output:
        logging.info("Report: %s", output / "index.html")


def write_csv(table: Table, path: Path) -> None:
    """Writes the table with full precision; NaN and None become empty cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.header)
        writer.writerows([["" if _missing(c) else c for c in row] for row in table.rows])


def write_report(report: Report, folder: Path, title: str, notes: Iterable[str] = ()) -> None:
    """Writes `metrics.json`, a CSV a table, a PNG a figure and `index.html` into `folder`.

    `metrics.json` is flat, name -> number, null where a number is undefined. Names become file
    names (`Score timeline, Test001` -> `Score_timeline_Test001.png`). Files are made aside and
    moved into place at the end, so what an earlier run left stays whole until all of the new
    report exists; other files in the folder are left alone.
    """
    folder = Path(folder)
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        tables = report.tables | report.files
        table_files = _file_names(tables, ".csv")
        figure_files = _file_names(report.figures, ".png")
        for name, table in tables.items():
            write_csv(table, partial / table_files[name])
        for name, figure in report.figures.items():
            figure.savefig(partial / figure_files[name], dpi=_FIGURE_DPI, format="png")
        scalars = {name: _number(value) for name, value in report.scalars.items()}
        text = json.dumps(scalars, indent=2, allow_nan=False)
        (partial / "metrics.json").write_text(text + "\n", encoding="utf-8")
        page = _page(report, title, list(notes), table_files, figure_files)
        (partial / "index.html").write_text(page, encoding="utf-8")
        for file in sorted(partial.iterdir(), key=lambda f: f.name == "index.html"):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(partial)


def _missing(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _number(value: float) -> float | int | None:
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _show(cell: Cell) -> str:
    if _missing(cell):
        return "n/a"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join([first, *rest]).rstrip()


def _file_names(names: Iterable[str], ending: str) -> dict[str, str]:
    files: dict[str, str] = {}
    for name in names:
        stem = slug = re.sub(r"[^\w.-]+", "_", name).strip("_.") or "unnamed"
        count = 1
        while (slug + ending).lower() in {file.lower() for file in files.values()}:
            count += 1
            slug = f"{stem}_{count}"
        files[name] = slug + ending
    return files


def _page(
    report: Report,
    title: str,
    notes: Sequence[str],
    table_files: Mapping[str, str],
    figure_files: Mapping[str, str],
) -> str:
    tables = [_table_html(name, table, table_files[name]) for name, table in report.tables.items()]
    summary, others = tables[:1], tables[1:]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        *(f"<p>{html.escape(note)}</p>" for note in notes),
        *summary,
    ]
    if report.figures:
        cards = [
            f'<figure><a href="{file}"><img src="{file}" alt="{html.escape(name)}" loading="lazy">'
            f"</a><figcaption>{html.escape(name)}</figcaption></figure>"
            for name, file in figure_files.items()
        ]
        parts += ["<h2>Figures</h2>", '<div class="figures">', *cards, "</div>"]
    parts += others
    if report.files:
        links = [
            f'<li><a href="{table_files[name]}">{html.escape(name)}</a> ({len(table.rows)} rows)'
            for name, table in report.files.items()
        ]
        parts += ["<h2>Files</h2>", "<ul>", *links, "</ul>"]
    if report.scalars:
        rows = [[name, _number(value)] for name, value in report.scalars.items()]
        everything = _table_html("", Table(["name", "value"], rows), "metrics.json")
        parts += ["<details><summary>All numbers</summary>", everything, "</details>"]
    return _PAGE.format(title=html.escape(title), body="\n".join(parts))


def _table_html(name: str, table: Table, file: str) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    heading = f"<h2>{html.escape(name)}</h2>" if name else ""
    body = "\n".join(row(map(_show, cells), "td") for cells in table.rows)
    return (
        f'{heading}\n<div class="table"><table><thead>{row(table.header, "th")}</thead>\n'
        f'<tbody>{body}</tbody></table></div>\n<p class="file"><a href="{file}">{file}</a></p>'
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --page: #f6f7f9; --card: #fff; --text: #1c2430; --quiet: #5d6878; --line: #dfe3e9;
  --link: #1d5fd1; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #12161c; --card: #1b2129; --text: #e6eaf0; --quiet: #9aa6b5; --line: #303945;
    --link: #7fb0ff; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; }}
h2 {{ font-size: 1.15rem; margin: 2rem 0 .6rem; }}
p {{ max-width: 46rem; margin: .4rem 0; color: var(--quiet); }}
a {{ color: var(--link); }}
.table {{ overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .5rem .9rem; text-align: right; white-space: nowrap; }}
th {{ color: var(--quiet); font-weight: 600; font-size: .85rem; }}
th:first-child, td:first-child {{ text-align: left; }}
td {{ border-top: 1px solid var(--line); }}
.file {{ font-size: .8rem; margin: .35rem .2rem; }}
.figures {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); }}
figure {{ margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; }}
figure a {{ display: block; background: #fff; }}
img {{ display: block; width: 100%; height: auto; }}
figcaption {{ padding: .5rem .9rem; font-size: .9rem; color: var(--quiet);
  border-top: 1px solid var(--line); }}
summary {{ cursor: pointer; margin: 2rem 0 .6rem; font-size: 1.15rem; font-weight: 600; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
