#!/usr/bin/python3
"""Trains the champion from the cohort that cohort.ts wrote. Needs Debian's python3-xgboost 1.7.4 and numpy.

The same cohort and seed give the same bytes: one thread, fixed seeds, rows in file order. Splits:
  train        as_of dates before the last one, retailers of no held-out number
  calibration  as_of dates before the last one, held-out retailers (every fifth)
  test         the last as_of date, left to out_of_time.ts; every label window of the others ends by then
Retailers of less than four months are left out: the cold-start card scores them (cold_start.py), a little below the
border of six, so that the model knows what lies around it.
"""

import argparse
import csv
import hashlib
import json
import math
import pathlib

import numpy as np
import xgboost as xgb

TREES = 200
PARAMS = {
    "booster": "gbtree",
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.04,
    "min_child_weight": 25,
    "subsample": 0.7,
    "colsample_bytree": 0.4,
    "lambda": 6,
    "gamma": 0.5,
    "nthread": 1,
}
MIN_TENURE_MONTHS = 4
HELD_OUT_EVERY = 5
BOOTSTRAP_MODELS = 10
# One-sided 95 % of a normal: the sparse route takes the upper end of the margin's interval.
INTERVAL_Z = 1.645
VECTOR_ROWS = 50


def read_cohort(path, names):
    """Columns of the cohort as numpy arrays: features (an empty cell is NaN), label, as_of day, retailer, route."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    features = np.array([[float(row[n]) if row[n] != "" else math.nan for n in names] for row in rows])
    column = lambda name: np.array([int(row[name]) for row in rows])
    route = np.array([row["route"] for row in rows])
    return features, column("label"), column("as_of_day"), column("retailer"), route


def splits(features, as_of_day, retailer, names):
    """Masks of the rows to train on and to calibrate on."""
    old_enough = features[:, names.index("distributor_tenure_months")] >= MIN_TENURE_MONTHS
    earlier = old_enough & (as_of_day < as_of_day.max())
    held_out = retailer % HELD_OUT_EVERY == 0
    return earlier & ~held_out, earlier & held_out


def platt(margin, label):
    """a, b of PD = 1 / (1 + exp(-(a * margin + b))) by Newton's method on the log-likelihood."""
    a, b = 1.0, 0.0
    x = margin.astype(np.float64)
    for _ in range(100):
        p = 1 / (1 + np.exp(-(a * x + b)))
        w = p * (1 - p)
        gradient = np.array([np.sum((label - p) * x), np.sum(label - p)])
        hessian = np.array([[np.sum(w * x * x), np.sum(w * x)], [np.sum(w * x), np.sum(w)]])
        step = np.linalg.solve(hessian, gradient)
        a, b = a + step[0], b + step[1]
        if np.max(np.abs(step)) < 1e-12:
            break
    return float(a), float(b)


def fit(features, label, names, signs, seed):
    params = {**PARAMS, "seed": seed, "monotone_constraints": "(" + ",".join(str(s) for s in signs) + ")"}
    # A base rate as starting point lets 200 trees explain risk instead of the mean.
    params["base_score"] = round(float(label.mean()), 4)
    return xgb.train(params, xgb.DMatrix(features, label=label, feature_names=names), num_boost_round=TREES)


def margins(model, features, names):
    return model.predict(xgb.DMatrix(features, feature_names=names), output_margin=True)


def interval_halfwidth(train, names, signs, seed, sparse_features):
    """How uncertain the (uncalibrated) margin of a sparse retailer is: INTERVAL_Z times its standard deviation over
    models trained on resampled retailers, at the 90th percentile of the held-out sparse rows."""
    features, label, retailer = train
    random = np.random.RandomState(seed)
    numbers = np.unique(retailer)
    predictions = []
    for i in range(BOOTSTRAP_MODELS):
        weight = np.bincount(random.randint(0, len(numbers), len(numbers)), minlength=len(numbers))
        rows = np.repeat(np.arange(len(label)), weight[np.searchsorted(numbers, retailer)])
        model = fit(features[rows], label[rows], names, signs, seed + 1 + i)
        predictions.append(margins(model, sparse_features, names))
    spread = np.std(np.array(predictions, dtype=np.float64), axis=0, ddof=1)
    return float(INTERVAL_Z * np.percentile(spread, 90))


def write_vectors(path, model, features, names, seed):
    """Rows with XGBoost's own margin, probability and contributions, some of them exactly on a split threshold."""
    random = np.random.RandomState(seed)
    rows = features[random.choice(len(features), VECTOR_ROWS, replace=False)].copy()
    trees = json.loads(model.save_raw(raw_format="json"))["learner"]["gradient_booster"]["model"]["trees"]
    for i in range(0, VECTOR_ROWS, 4):
        tree = trees[random.randint(len(trees))]
        inner = [n for n, left in enumerate(tree["left_children"]) if left != -1]
        if inner:
            node = inner[random.randint(len(inner))]
            # The threshold is a float32; the row must hold that very value.
            rows[i, tree["split_indices"][node]] = float(np.float32(tree["split_conditions"][node]))
    for i in range(2, VECTOR_ROWS, 7):
        rows[i, random.choice(len(names), 6, replace=False)] = math.nan
    matrix = xgb.DMatrix(rows, feature_names=names)
    margin = model.predict(matrix, output_margin=True)
    probability = model.predict(matrix)
    shap = model.predict(matrix, pred_contribs=True)
    cell = lambda value: "" if math.isnan(value) else repr(float(value))
    with open(path, "w", newline="") as file:
        file.write(",".join([*names, "margin", "probability", *[f"shap_{n}" for n in names], "shap_bias"]) + "\n")
        for i in range(VECTOR_ROWS):
            file.write(",".join(map(cell, [*rows[i], margin[i], probability[i], *shap[i]])) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", default=".local/training", help="folder that cohort.ts wrote")
    parser.add_argument("--out", default="models", help="folder for champion.xgb, champion.meta.json, vectors.csv")
    parser.add_argument("--version", default="1.1.0")
    parser.add_argument("--seed", type=int, default=20260331)
    options = parser.parse_args()
    cohort = pathlib.Path(options.cohort)
    out = pathlib.Path(options.out)

    description = json.loads((cohort / "cohort.json").read_text())
    names = [feature["name"] for feature in description["features"]]
    signs = [feature["sign"] for feature in description["features"]]
    features, label, as_of_day, retailer, route = read_cohort(cohort / "cohort.csv", names)
    train, calibration = splits(features, as_of_day, retailer, names)

    model = fit(features[train], label[train], names, signs, options.seed)
    a, b = platt(margins(model, features[calibration], names), label[calibration])
    halfwidth = interval_halfwidth(
        (features[train], label[train], retailer[train]), names, signs, options.seed,
        features[calibration & (route == "sparse")],
    )

    artefact = bytes(model.save_raw(raw_format="json"))
    sha256 = hashlib.sha256(artefact).hexdigest()
    gain = model.get_score(importance_type="total_gain")
    total = sum(gain.values())
    meta = {
        "model_id": f"mdl_{sha256[:16]}",
        "version": options.version,
        "sha256": sha256,
        "feature_list_version": description["feature_list_version"],
        "calibration": {"a": a, "b": b},
        "sparse_margin_halfwidth": round(halfwidth, 4),
        "trained_on": description["summary"],
        "rows": {"train": int(train.sum()), "calibration": int(calibration.sum())},
        "gain_shares": {name: round(value / total, 4) for name, value in sorted(gain.items(), key=lambda item: -item[1])},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "champion.xgb").write_bytes(artefact)
    (out / "champion.meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    last = as_of_day == as_of_day.max()
    old_enough = features[:, names.index("distributor_tenure_months")] >= MIN_TENURE_MONTHS
    write_vectors(out / "vectors.csv", model, features[last & old_enough], names, options.seed)
    print(f"champion.xgb: {sha256}, {len(artefact)} bytes; now run out_of_time.ts for its metrics")


if __name__ == "__main__":
    main()
