"""Who does the work of the ledger: local worker processes."""
