"""What mcusim promises, and what this commit reaches: `script/bars`.

`bars.csv` has a row for each promise; `GROUPS` measure them. A figure that follows from the commit alone (modelled
cycles, bytes, errors) is kept there: a change that makes it worse has to edit the file, where a reviewer sees it.
"""
