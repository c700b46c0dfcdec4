"""Random models and hostile files, for as long as there is time: `script/fuzz --minutes N`.

A kind draws something from a seed and tries it; a seed gives the same again, on any machine with the same versions of
the packages that it is drawn with. What is done is kept in a folder, so that the next run goes on from there.
"""
