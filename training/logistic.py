#!/usr/bin/python3
"""Fits a plain logistic scorecard on the champion's training rows, as a baseline that validate.ts compares with.

Each of the 42 features is cut off at its 1st and 99th percentile and standardised; a missing value is its mean, with
an indicator beside it. Ridge logistic regression by Newton's method; needs numpy. Writes logistic.json.
"""

import argparse
import json
import pathlib

import numpy as np

from train import read_cohort, splits

RIDGE = 10


def fit(x, label):
    """Weights of a ridge logistic regression; the first column is the bias, which is not penalised."""
    penalty = np.full(x.shape[1], float(RIDGE))
    penalty[0] = 0
    weight = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-(x @ weight)))
        gradient = x.T @ (label - p) - penalty * weight
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weight += step
        if np.max(np.abs(step)) < 1e-10:
            break
    return weight


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", default=".local/training", help="folder that cohort.ts wrote")
    parser.add_argument("--out", default="training/logistic.json")
    options = parser.parse_args()
    cohort = pathlib.Path(options.cohort)
    description = json.loads((cohort / "cohort.json").read_text())
    names = [feature["name"] for feature in description["features"]]
    features, label, as_of_day, retailer, _ = read_cohort(cohort / "cohort.csv", names)
    train, _ = splits(features, as_of_day, retailer, names)

    rows = features[train]
    low, high = np.nanpercentile(rows, [1, 99], axis=0)
    cut = np.clip(rows, low, high)
    mean, deviation = np.nanmean(cut, axis=0), np.nanstd(cut, axis=0)
    deviation[deviation == 0] = 1
    missing = np.isnan(rows)
    x = np.column_stack([np.ones(len(rows)), np.nan_to_num((cut - mean) / deviation), missing])
    weight = fit(x, label[train])
    number = lambda value: float(f"{value:.6g}")
    terms = [
        {
            "name": name,
            "low": number(low[i]),
            "high": number(high[i]),
            "mean": number(mean[i]),
            "deviation": number(deviation[i]),
            "weight": number(weight[1 + i]),
            "missing": number(weight[1 + len(names) + i]),
        }
        for i, name in enumerate(names)
    ]
    pathlib.Path(options.out).write_text(json.dumps({"bias": number(weight[0]), "terms": terms}, indent=2) + "\n")
    print(f"fitted on {train.sum()} rows")


if __name__ == "__main__":
    main()
