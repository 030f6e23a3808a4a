"""What tests share: bad servers, damaged files, stub workers, a site under trial."""
