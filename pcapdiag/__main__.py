"""`python -m pcapdiag`."""

from pcapdiag.cli.main import main

main()
