"""What hangs together through links, directly or through others. Pure."""

from __future__ import annotations


class Unions:
    """Sets of numbers that grow by links. The lowest number of a set stands for it; one that nothing is linked to is alone."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, node: int) -> int:
        """The number that stands for the set of `node`."""
        parent = self._parent
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(self, first: int, second: int) -> None:
        """Make one set of the two that these are in."""
        one, two = sorted((self.root(first), self.root(second)))
        self._parent[two] = one

    def roots(self) -> dict[int, int]:
        """Every number that was asked about or linked → the one that stands for it."""
        return {node: self.root(node) for node in list(self._parent)}
