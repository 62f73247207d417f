"""What a live capture prints and serves."""
