"""Fuzz targets for everything that reads what strangers wrote. `python -m fuzz.run` lists and runs them."""
