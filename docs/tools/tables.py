"""The page of the tables, made of what the package says of its columns."""

import pcapdiag

TABLES = {
    "exchanges": "A row for each exchange.",
    "messages": "A row for each time that a message was sent, in order.",
    "evidence": "A row for each fact that the wire shows.",
    "causes": "A row for each exchange and each cause that was weighed for it.",
    "passages": "Of a comparison: a row for each message that was sent, and each capture point.",
}
HEAD = """# Tables

`report.exchanges`, `report.messages`, `report.evidence` and `report.causes` are pandas DataFrames, and
`comparison.passages` is one more. `pcapdiag messages` writes the rows of `messages` as CSV, NDJSON or Parquet. How to
work with them stands [here](../how-to/tables.md).

Times are in UTC with nanoseconds, durations are timedeltas, frame numbers are integers, and what is one of a few words
is a category. Statuses have an order, worst first. The column `exchange` joins the tables; `exchange` and `evidence`
name a fact, `exchange` and `message` a message with all its transmissions. A packet that was recorded twice has a row
marked `duplicate`. What was [only counted](limits.md) has no rows.
"""


def pages() -> dict[str, str]:
    """The page."""
    text = HEAD
    for table, what in TABLES.items():
        text += f"\n## {table}\n\n{what}\n\n| column | type | meaning |\n|---|---|---|\n"
        for name, row in pcapdiag.columns(table).iterrows():
            meaning = str(row["meaning"]).replace("|", "\\|").replace("<", "&lt;")
            text += f"| `{name}` | {row['dtype']} | {meaning} |\n"
    return {"reference/tables.md": text}
