"""Papers whose experiments come with mcusim: `mcusim reproduce NAME`."""

from mcusim.reproduce.microai import MICROAI
from mcusim.reproduce.study import Study

STUDIES: dict[str, Study] = {study.name: study for study in (MICROAI,)}
