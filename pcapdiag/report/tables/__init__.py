"""Rows and columns: DataFrames, CSV, Parquet."""
