"""schema: JSON Schema of the files that people write, for editors."""

import click


@click.command()
@click.argument("kind", metavar="[experiment|board|chip|hardware|report]", default="experiment")
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file.

    An editor that knows it completes and checks experiment.toml while it is written: docs/experiment.md tells how.
    """
    from mcusim.experiment.schema import SCHEMAS
    from mcusim.system.errors import ConfigurationError, suggestion

    if kind not in SCHEMAS:
        raise ConfigurationError(f"there is no schema of {kind!r}", hint=suggestion(kind, SCHEMAS))
    import json

    click.echo(json.dumps(SCHEMAS[kind](), indent=1))
