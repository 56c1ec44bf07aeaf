"""Exact SHAP values of sums of decision trees, by tables over which conditions a row satisfies.

The game is that of path-dependent TreeSHAP (Lundberg et al. 2020, "From local explanations to global
understanding with explainable AI for trees", algorithm 1): a feature that is not in the coalition lets a row
go both ways at a split, by the shares of the training rows. What a tree adds to a row depends only on which
of its few conditions the row satisfies, so all answers are computed once, and a row costs a lookup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.leaves import leaf_log_odds

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.intp]

# A table has at most two to the power of so many rows: beyond, it outgrows the processor's caches.
MOST_CONDITIONS = 12
# Patterns of so many bits are told apart by a flag each; sorting them would take ten times as long.
MOST_FLAGGED = 16
ROOT = 0


@dataclass(frozen=True)
class Tree:
    """A fitted binary tree; arrays by node, the root first.

    A row goes left where its value of `feature` is at most `threshold`, and with no value where
    `missing_left` says so. `left` is negative at leaves. `cover` is the weight of the training rows that came
    to the node, `value` what a leaf adds to the sum of the trees.
    """

    feature: Whole
    threshold: Floats
    missing_left: Booleans
    left: Whole
    right: Whole
    cover: Floats
    value: Floats

    def is_leaf(self, node: int) -> bool:
        """Whether rows stay at the node."""
        return bool(self.left[node] < 0)


@dataclass(frozen=True)
class _Split:
    """On the way from the root: the node that was left, and on which side."""

    node: int
    goes_left: bool


@dataclass(frozen=True)
class _Block:
    """Neighbouring leaves of a tree that share a table.

    `conditions`: each all of its splits; a row's pattern has bit i where it satisfies condition i. `table`
    (groups in use, patterns) is what the leaves add to each of `groups`; None for a leaf with more conditions
    than a table can hold, which is `deep`.
    """

    conditions: list[list[_Split]]
    groups: Whole
    table: Floats | None
    deep: "_Leaf | None" = None


@dataclass(frozen=True)
class _Leaf:
    """A leaf by the distinct features on its path: the share of rows each lets through, and its group."""

    ratios: Floats
    groups: Whole
    value: float

    def shapley(self, satisfied: Booleans) -> Floats:
        """(patterns, features) SHAP values of the leaf for rows (patterns, features) of what is satisfied.

        The weights m!(k-1-m)!/k! of coalitions are integrals of z^m (1-z)^(k-1-m) over [0, 1], so that the
        sum over all coalitions without feature i is the integral of the product of (1-z) ratio + z satisfied
        over the other features: a polynomial of degree k - 1, which Gauss and Legendre's rule integrates
        exactly.
        """
        nodes, weights = np.polynomial.legendre.leggauss((len(self.ratios) + 1) // 2)
        nodes, weights = (nodes + 1) / 2, weights / 2
        factors = (1 - nodes) * self.ratios[:, None] + nodes * satisfied[:, :, None]
        products = factors.prod(axis=1, keepdims=True)
        integrals = (products / factors) @ weights
        return self.value * (satisfied - self.ratios) * integrals

    def by_group(self, satisfied: Booleans, groups: Whole) -> Floats:
        """(len(groups), patterns) the SHAP values, added up by group."""
        return (self.groups[:, None] == groups).T.astype(np.float64) @ self.shapley(satisfied).T


class TreeTables:
    """The sum of some trees, decomposed into a base and an addend for each group of features."""

    def __init__(self, trees: Sequence[Tree], group_of: Sequence[int], count_groups: int) -> None:
        """`group_of` gives for each feature (column of a row) the number of its group, from 0."""
        self._group_of = np.asarray(group_of, dtype=np.intp)
        self._count_groups = count_groups
        self._trees = [(tree, list(self._blocks(tree, ROOT, []))) for tree in trees]
        self.base = float(sum(_expected(tree) for tree in trees))

    def contributions(self, rows: Floats) -> Floats:
        """(groups, rows) what each group adds to the sum of the trees, for `rows` (rows, features).

        The base and the contributions of a row add up to the sum of the trees for it.
        """
        columns = np.ascontiguousarray(rows.T)
        missing = np.isnan(columns) if np.isnan(columns).any() else None
        found = np.zeros((self._count_groups, columns.shape[1]))
        for tree, blocks in self._trees:
            goes_left: dict[int, Booleans] = {}
            for node in np.flatnonzero(tree.left >= 0).tolist():
                feature = tree.feature[node]
                goes_left[node] = columns[feature] <= tree.threshold[node]
                if missing is not None and tree.missing_left[node]:
                    goes_left[node] |= missing[feature]
            for block in blocks:
                _add(block, goes_left, found)
        return found

    def _blocks(self, tree: Tree, node: int, path: list[_Split]) -> list[_Block]:
        """Tables for the leaves at and below `node`: one where the conditions are few, else by child."""
        below = _splits_below(tree, node)
        above = _by_feature(tree, path)
        if len(above) + len(below) <= MOST_CONDITIONS:
            return [self._table(tree, node, path)] if above or below else []
        if tree.is_leaf(node):
            leaf = self._leaf(tree, node, path)
            return [_Block(list(above.values()), np.unique(leaf.groups), None, leaf)]
        return [
            block
            for child, goes_left in ((tree.left[node], True), (tree.right[node], False))
            for block in self._blocks(tree, int(child), [*path, _Split(node, goes_left)])
        ]

    def _table(self, tree: Tree, node: int, path: list[_Split]) -> _Block:
        above, below = _by_feature(tree, path), _splits_below(tree, node)
        conditions = [*above.values(), *([_Split(inner, True)] for inner in below)]
        bits = _every_pattern(len(conditions))
        from_above = {feature: bits[:, bit] for bit, feature in enumerate(above)}
        from_below = {inner: bits[:, len(above) + place] for place, inner in enumerate(below)}
        paths = list(_paths_to_leaves(tree, node, path))
        features = {int(tree.feature[split.node]) for _, splits in paths for split in splits}
        groups = np.unique(self._group_of[sorted(features)])
        table = np.zeros((len(groups), len(bits)))
        for leaf_node, splits in paths:
            leaf = self._leaf(tree, leaf_node, splits)
            own = leaf.by_group(_every_pattern(len(leaf.ratios)), groups)
            place = np.zeros(len(bits), dtype=np.intp)
            for bit, (feature, on_feature) in enumerate(_by_feature(tree, splits).items()):
                satisfied = from_above.get(feature, np.ones(len(bits), dtype=bool))
                for split in on_feature:
                    if split.node in from_below:
                        satisfied = satisfied & (from_below[split.node] == split.goes_left)
                place |= satisfied.astype(np.intp) << bit
            table += own[:, place]
        return _Block(conditions, groups, table)

    def _leaf(self, tree: Tree, node: int, path: list[_Split]) -> _Leaf:
        ratios = []
        for splits in _by_feature(tree, path).values():
            ratio = 1.0
            for split in splits:
                child = (tree.left if split.goes_left else tree.right)[split.node]
                ratio *= tree.cover[child] / tree.cover[split.node]
            ratios.append(ratio)
        groups = self._group_of[list(_by_feature(tree, path))]
        return _Leaf(np.array(ratios), groups, float(tree.value[node]))


def _add(block: _Block, goes_left: dict[int, Booleans], found: Floats) -> None:
    """Add what the block's leaves give to `found` (groups, rows)."""
    width = np.int64 if block.table is None else np.uint16
    pattern: npt.NDArray[Any] = np.zeros(found.shape[1], dtype=width)
    for bit, condition in enumerate(block.conditions):
        pattern |= np.multiply(_all(condition, goes_left), 1 << bit, dtype=width)
    if block.table is not None:
        place, table = pattern.astype(np.intp), block.table
    else:
        assert block.deep is not None
        seen, place = _distinct(pattern, len(block.conditions))
        table = block.deep.by_group(_bits(seen, len(block.conditions)), block.groups)
    for group, answers in zip(block.groups, table, strict=True):
        found[group] += answers[place]


def _all(condition: list[_Split], goes_left: dict[int, Booleans]) -> Booleans:
    holds = None
    for split in condition:
        side = goes_left[split.node] if split.goes_left else ~goes_left[split.node]
        holds = side if holds is None else holds & side
    assert holds is not None
    return holds


def _by_feature(tree: Tree, path: Sequence[_Split]) -> dict[int, list[_Split]]:
    """The splits of a path by feature, in the order in which features first come up."""
    found: dict[int, list[_Split]] = {}
    for split in path:
        found.setdefault(int(tree.feature[split.node]), []).append(split)
    return found


def _splits_below(tree: Tree, node: int) -> list[int]:
    if tree.is_leaf(node):
        return []
    return [
        node,
        *_splits_below(tree, int(tree.left[node])),
        *_splits_below(tree, int(tree.right[node])),
    ]


def _paths_to_leaves(tree: Tree, node: int, path: list[_Split]) -> list[tuple[int, list[_Split]]]:
    if tree.is_leaf(node):
        return [(node, path)]
    return [
        *_paths_to_leaves(tree, int(tree.left[node]), [*path, _Split(node, True)]),
        *_paths_to_leaves(tree, int(tree.right[node]), [*path, _Split(node, False)]),
    ]


def _every_pattern(bits: int) -> Booleans:
    """(2**bits, bits) every pattern, the first bit changing fastest."""
    return _bits(np.arange(2**bits), bits)


def _bits(patterns: npt.NDArray[np.int64], bits: int) -> Booleans:
    """(patterns, bits) of which bits are set, the lowest first."""
    return (patterns[:, None] >> np.arange(bits)) & 1 == 1


def _distinct(patterns: npt.NDArray[np.int64], bits: int) -> tuple[npt.NDArray[np.int64], Whole]:
    """The different patterns in rising order, and the place of each row's among them."""
    if bits > MOST_FLAGGED:
        seen, place = np.unique(patterns, return_inverse=True)
        return seen, place
    is_seen = np.zeros(2**bits, dtype=bool)
    is_seen[patterns] = True
    seen = np.flatnonzero(is_seen)
    place_of = np.empty(2**bits, dtype=np.intp)
    place_of[seen] = np.arange(len(seen))
    return seen, place_of[patterns]


def _expected(tree: Tree) -> float:
    """The mean of the leaves by cover: what the tree gives a row of which nothing is known."""
    leaves = tree.left < 0
    return float((tree.value * tree.cover)[leaves].sum() / tree.cover[ROOT])


def of_boosting(model: Any) -> list[Tree]:
    """The trees of a fitted HistGradientBoostingClassifier of two classes; values add to the raw log-odds."""
    return [_of_predictor(predictors[0].nodes) for predictors in model._predictors]


def of_forest(model: Any) -> list[Tree]:
    """The trees of a fitted LogOddsForest, each value divided by their number: they add up to its decision
    function.
    """
    return [of_tree(tree, 1 / len(model.estimators_)) for tree in model.estimators_]


def of_tree(model: Any, weight: float = 1.0) -> Tree:
    """A fitted decision tree of two classes; values are log-odds of its leaves (leaves.py), times `weight`.

    It compares rows in single precision.
    """
    nodes = model.tree_
    return Tree(
        feature=nodes.feature,
        threshold=nodes.threshold,
        missing_left=np.asarray(nodes.missing_go_to_left, dtype=bool),
        left=nodes.children_left,
        right=nodes.children_right,
        cover=nodes.weighted_n_node_samples,
        value=leaf_log_odds(nodes) * weight,
    )


def _of_predictor(nodes: npt.NDArray[Any]) -> Tree:
    if nodes["is_categorical"].any():
        raise ValueError("a tree splits on sets of categories; encode them as columns of 0 and 1")
    is_leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=nodes["feature_idx"].astype(np.intp),
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        left=np.where(is_leaf, -1, nodes["left"].astype(np.intp)),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.intp)),
        cover=nodes["count"].astype(np.float64),
        value=nodes["value"],
    )
