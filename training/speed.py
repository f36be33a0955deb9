#!/usr/bin/python3
"""XGBoost's side of `npm run bench:engine`. Needs Debian's python3-xgboost 1.7.4 and numpy.

Usage: speed.py DIR

Trains one model per shape on seeded random data (42 features, some values missing) and writes into DIR

  <shape>.json            the model, <shape> being for example 200x4: 200 trees of depth 4
  <shape>.contribs.f32    XGBoost's own contributions of the rows: 42 features and the bias, float32
  <shape>.margins.f32     XGBoost's own margins, float32
  rows.f32                the rows, 42 float32 each, NaN where missing

then prints one line, {"rows": n, "features": n, "shapes": [..]}. After that every line on stdin that reads
`<shape> <batch|single> <shap|margin>` is answered by one line: microseconds of CPU per row of one round on one
thread, over all rows in one matrix or over a part of them in a matrix each. Building the matrices is not counted.
"""

import json
import pathlib
import sys
import time

import numpy as np
import xgboost as xgb

SEED = 20261122
FEATURES = 42
TRAINING_ROWS = 20_000
ROWS = 1_000
SINGLE_ROWS = 200
MISSING_SHARE = 0.05
NAMES = [f"f{i}" for i in range(FEATURES)]
SHAPES = {"200x4": (200, 4), "300x6": (300, 6)}


def random_rows(random, count):
    rows = random.standard_normal((count, FEATURES)).astype(np.float32)
    rows[random.random_sample(rows.shape) < MISSING_SHARE] = np.nan
    return rows


def label_of(random, rows):
    """A label that every feature moves, and pairs of neighbours together, so that trees grow to their full depth."""
    known = np.nan_to_num(rows)
    weight = random.uniform(-0.6, 0.6, FEATURES)
    pairs = 0.5 * np.tanh(known * np.roll(known, 1, axis=1)).sum(axis=1)
    return (random.random_sample(len(rows)) < 1 / (1 + np.exp(-(known @ weight + pairs)))).astype(int)


def train(rows, label, trees, depth):
    params = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": depth,
        "eta": 0.05,
        "min_child_weight": 1,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "seed": SEED,
        "nthread": 1,
    }
    return xgb.train(params, xgb.DMatrix(rows, label, feature_names=NAMES), trees)


def matrix_of(rows):
    return xgb.DMatrix(rows, feature_names=NAMES, nthread=1)


def predict(booster, matrix, what):
    return booster.predict(matrix, pred_contribs=what == "shap", output_margin=what == "margin")


def us_per_row(booster, rows, mode, what):
    # New matrices each time: XGBoost remembers the margins of one that it has seen.
    parts = [rows] if mode == "batch" else [rows[i : i + 1] for i in range(SINGLE_ROWS)]
    matrices = [matrix_of(part) for part in parts]
    start = time.thread_time()
    for matrix in matrices:
        predict(booster, matrix, what)
    return (time.thread_time() - start) * 1e6 / sum(map(len, parts))


def main(directory):
    random = np.random.RandomState(SEED)
    training_rows = random_rows(random, TRAINING_ROWS)
    label = label_of(random, training_rows)
    rows = random_rows(random, ROWS)
    rows.tofile(directory / "rows.f32")
    boosters = {}
    for shape, (trees, depth) in SHAPES.items():
        booster = boosters[shape] = train(training_rows, label, trees, depth)
        booster.save_model(directory / f"{shape}.json")
        predict(booster, matrix_of(rows), "shap").tofile(directory / f"{shape}.contribs.f32")
        predict(booster, matrix_of(rows), "margin").tofile(directory / f"{shape}.margins.f32")
    print(json.dumps({"rows": ROWS, "features": FEATURES, "shapes": list(SHAPES)}), flush=True)
    for line in sys.stdin:
        shape, mode, what = line.split()
        print(us_per_row(boosters[shape], rows, mode, what), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
