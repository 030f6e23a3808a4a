"""What is to be done next: the ledger of jobs, and the pool of workers that do them."""
