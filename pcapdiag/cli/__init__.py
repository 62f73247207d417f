"""The command line: options in, one call of the library, a report out."""

import gc

# The collector would walk over all that is imported and decoded many times, and find next to nothing.
gc.set_threshold(100_000, 20, 20)
