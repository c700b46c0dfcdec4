"""The commands of the command line, one family a module. Only these and `cli.py` print."""
