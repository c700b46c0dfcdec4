"""python -m mcusim"""

from mcusim.cli import main

if __name__ == "__main__":
    main()
