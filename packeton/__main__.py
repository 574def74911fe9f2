"""`python -m packeton` is the CLI."""

from packeton.cli.main import main

if __name__ == "__main__":
    main()
