"""What an exploration knows of a point: its figures, or why it has none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Strict, TypeAdapter

from mcusim.reports.report import RunError

Fidelity = Literal["estimate", "firmware", "test"]


@dataclass(frozen=True)
class Point:
    """`chosen`: name of each axis -> its value. `figures` by the names of objectives; {} of one that cannot be.

    `fidelity`: where they come from. Of an `estimate` accuracy is exact, and cycles and bytes are those that kernels
    are chosen by; of a `firmware` they are of one that was built and ran in the engine. Both are of validation samples;
    those of a `test` are of the test set. `digest`: of the generated library; two points of one are one firmware.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    genes: tuple[int, ...]
    chosen: Mapping[str, Any]
    fidelity: Fidelity = "estimate"
    figures: Mapping[str, Annotated[float, Strict()]] = field(default_factory=dict)
    digest: str | None = None
    error: RunError | None = None

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Point":
        """Inverse of `told`. Raises ValueError for what is none, or says neither its figures nor what is in the way."""
        point = _READER.validate_python(told)
        if not point.figures and point.error is None:
            raise ValueError
        return point


_READER = TypeAdapter(Point)
