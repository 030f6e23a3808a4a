"""Tables as files that astronomers' programs read, for the commands and the pages."""
