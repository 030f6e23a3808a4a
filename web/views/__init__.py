"""The pages: a package for each entry of the menu."""
