"""Names of the layers of a graph, and of its outputs: each is given once."""

from dataclasses import dataclass, field


@dataclass
class Names:
    """`unique` tells another where a name is taken."""

    used: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        first = name
        while name in self.used:
            self.used[first] += 1
            name = f"{first}_{self.used[first]}"
        self.used[name] = 1
        return name

    def release(self, name: str) -> None:
        """It is free again."""
        self.used.pop(name, None)
