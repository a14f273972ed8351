"""`bench model`: how well the cost model orders configs, by how much it was taught and of what."""
