"""The command line: translate arguments, call the package, print, exit with a code."""
