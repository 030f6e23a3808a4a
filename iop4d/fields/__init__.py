"""What is known of a field before a frame comes: index files, star lists, calibrators."""
