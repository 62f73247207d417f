"""The captures of many gateways, judged by many workers into one data set, and what its owner asks of that."""
