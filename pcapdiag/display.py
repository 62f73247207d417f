"""What a notebook shows of reports, diagnoses and exchanges. Imported for the sake of it: records know no reports."""

from pcapdiag.record import shown_by


def _shown(record: object) -> str | None:
    from pcapdiag.report.html.notebook import shown  # and with it the templates: when something is shown, not before

    return shown(record)


shown_by(_shown)
