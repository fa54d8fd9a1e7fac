"""Fit what tells beards (`swaptalk.faces.editing.beard`) to faces that were labelled by eye.

Usage: python benchmarks/fit_beard.py DATASET [OUT.npy]

``beard_labels.csv`` names pictures of training and validation people (0: none or stubble, 1: a
beard or a moustache). Ridge logistic regression on training people; validation people are only
counted.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import swaptalk.faces.editing.beard as beard
from swaptalk.data.split import Split
from swaptalk.data.store import Dataset

#: Strength of the prior, chosen by cross-validation, its folds, and Newton steps.
PRIOR, FOLDS, STEPS = 100.0, 5, 60

Array = NDArray[np.float64]


def fit(features: Array, labels: Array) -> Array:
    """Weights of the features and, last, what is added; the rarer label counts more."""
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    terms = np.column_stack([(features - mean) / spread, np.ones(len(features))])
    importance = np.where(labels == 1, ((labels == 0).sum() / labels.sum()) ** 0.5, 1.0)
    prior = PRIOR * np.eye(terms.shape[1])
    prior[-1, -1] = 1e-6
    weights = np.zeros(terms.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-terms @ weights))
        slope = terms.T @ (importance * (likely - labels)) + prior @ weights
        curvature = (terms * (importance * likely * (1 - likely))[:, None]).T @ terms + prior
        weights -= np.linalg.solve(curvature, slope)
    scaled = weights[:-1] / spread
    return np.append(scaled, weights[-1] - mean @ scaled)


def main(dataset: str, out: str | None = None) -> None:
    """Measure, fit, count and write the file of the package (or another one)."""
    data = Dataset(Path(dataset))
    with Path(__file__).with_name("beard_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = {(row["name"], int(row["picture"])): int(row["beard"]) for row in rows}
    measured: dict[Split, tuple[list[Any], list[int], list[str]]] = {
        "train": ([], [], []),
        "validation": ([], [], []),
    }
    for split, (features, answers, people) in measured.items():
        for item in data.select(split):
            for picture in range(item.count):
                if (label := labels.get((item.name, picture))) is not None:
                    mesh = np.asarray(data.landmarks(item)[picture])
                    features.append(beard.beard_features(data.picture(item, picture), mesh))
                    answers.append(label)
                    people.append(item.identity)
    known, answers, people = measured["train"]
    seen, true = np.array(known, float), np.array(answers, float)
    weights = fit(seen, true)
    path = Path(out) if out else Path(beard.__file__).with_name("beard.npy")
    np.save(path, weights.astype(np.float32))
    print(counted(f"{FOLDS} folds of people", cross_validated(seen, true, people), true))
    print(counted("training people", strengths(seen, weights), true))
    others, labelled, _ = measured["validation"]
    print(counted("validation people", strengths(np.array(others), weights), np.array(labelled)))


def cross_validated(features: Array, labels: Array, people: Sequence[str]) -> Array:
    """Strengths of all faces, each by a fit to other people's."""
    fold = np.array([int(hashlib.sha256(p.encode()).hexdigest(), 16) % FOLDS for p in people])
    found = np.zeros(len(labels))
    for k in range(FOLDS):
        weights = fit(features[fold != k], labels[fold != k])
        found[fold == k] = strengths(features[fold == k], weights)
    return found


def strengths(features: Array, weights: Array) -> Array:
    """What `Beard.strength` of each face would be."""
    return np.asarray(features @ weights[:-1] + weights[-1])


def counted(who: str, found: Array, labels: Array) -> str:
    """A line that says how many are told rightly."""
    beards = labels == 1
    return (
        f"{who}: {(found[beards] > 0).mean():.1%} of {beards.sum()} beards found, "
        f"{(found[~beards] > 0).mean():.1%} of {(~beards).sum()} others taken for one"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
