"""python -m mcusim"""

from mcusim.commands.cli import main

if __name__ == "__main__":
    main()
