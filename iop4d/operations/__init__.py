"""What keeps a site in working order: backups, checks, pruning, numbers for monitors."""
