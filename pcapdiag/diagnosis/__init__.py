"""Exchanges to a diagnosis: the outcome, the state of each end, the evidence, the causes."""
