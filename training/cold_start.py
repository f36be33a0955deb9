#!/usr/bin/python3
"""Fits the cold-start scorecard on the cohort's retailers with under six months of history. Needs numpy and train.py.

The card is a sum of one rule per feature, a line through a few points, in log odds of default. The rules on how bills are
paid are fitted by ridge logistic regression, no step against the feature's sign; those on ordering are judged and held
fixed. Rounded to hundredths, so that the last digits of a sum never show.
"""

import argparse
import json
import pathlib

import numpy as np

from train import read_cohort

# Points of the rules whose steps are fitted: how bills are paid.
FITTED = {
    "worst_delay_365": [0, 3, 7, 15, 30, 60],
    "avg_payment_delay_days": [0, 3, 7, 15, 30],
    "delay_std_180": [0, 3, 10, 20],
    "zero_delay_rate": [0, 0.5, 1],
    "late15_share_180": [0, 0.1, 0.3],
    "days_since_late15": [0, 30, 90, 365],
    "max_consecutive_delays": [0, 2, 5],
    "overdue_share": [0, 0.1, 0.5, 1],
    "oldest_overdue_days": [0, 3, 7, 15, 30, 60],
    "collect_ratio_90": [0, 0.5, 0.9, 1],
    "outstanding_to_monthly": [0, 1, 3],
}
# Points and judged log odds of the others, of which the cohort knows only what its makers put into it: 0 where the
# value says nothing, which is also where the reason codes' statements begin to hold (reason-table.ts).
JUDGED = {
    "partial_payment_freq": [[0, -0.1], [0.1, 0], [0.5, 0.3]],
    "bounce_rate_180": [[0, 0], [0.2, 0.5]],
    "monthly_order_frequency": [[0, 0.2], [2, 0], [8, -0.2]],
    "order_gap_cv": [[0, -0.1], [0.5, 0], [2, 0.2]],
    "return_rate_pct": [[0, -0.1], [3, 0], [25, 0.6]],
    "gmv_per_order_cv": [[0, -0.1], [0.6, 0], [2, 0.15]],
    "gmv_3m_vs_12m_ratio": [[0.5, 0.1], [1, 0], [1.5, -0.1]],
    "active_months_pct": [[50, 0.15], [75, 0], [100, -0.05]],
    "distributor_tenure_months": [[0, 0.3], [6, 0]],
    "distributor_count": [[1, 0], [3, -0.2]],
    "dispute_rate": [[0, 0], [0.1, 0.1], [0.5, 0.3]],
    "recency_days": [[7, 0], [14, 0.05], [60, 0.3]],
}
# The pull of a fitted step towards 0, in units of the log-likelihood's curvature.
RIDGE = 20


def steps(column):
    """How far each row has gone up each step of each fitted rule, 0 to 1 in the direction of risk; NaN where the value
    is missing. `column` gives a feature's values and sign."""
    shares = []
    for name, points in FITTED.items():
        values, sign = column(name)
        for low, high in zip(points, points[1:]):
            share = np.clip((values - low) / (high - low), 0, 1)
            shares.append(share if sign > 0 else 1 - share)
    return np.array(shares).T


def fit(x, label, offset):
    """Bias and non-negative steps of the ridge logistic regression beside a given offset, by Newton's method
    coordinate by coordinate."""
    bias, weight = 0.0, np.zeros(x.shape[1])
    margin = offset.copy()
    for _ in range(1000):
        p = 1 / (1 + np.exp(-margin))
        largest = np.sum(label - p) / np.sum(p * (1 - p))
        bias, margin = bias + largest, margin + largest
        for j in range(len(weight)):
            p = 1 / (1 + np.exp(-margin))
            gradient = np.sum((label - p) * x[:, j]) - RIDGE * weight[j]
            curvature = np.sum(p * (1 - p) * x[:, j] ** 2) + RIDGE
            move = max(-weight[j], gradient / curvature)
            weight[j], margin = weight[j] + move, margin + move * x[:, j]
            largest = max(abs(largest), abs(move))
        if largest < 1e-9:
            break
    return bias, weight


def fitted_rules(weight, mean, column):
    """The points of the fitted rules: 0 is what the average young retailer's value adds."""
    rules, used = {}, 0
    for name, points in FITTED.items():
        own = slice(used, used + len(points) - 1)
        used = own.stop
        climb = weight[own] if column(name)[1] > 0 else -weight[own]
        # A falling rule starts at the sum of all its steps.
        start = -min(0.0, climb.sum()) - weight[own] @ mean[own]
        heights = start + np.concatenate([[0], np.cumsum(climb)])
        rules[name] = [list(pair) for pair in zip(points, heights)]
    return rules


def judged_margin(column):
    """Log odds that the judged rules add; a missing value adds nothing."""
    total = 0.0
    for name, points in JUDGED.items():
        at, heights = zip(*points)
        total = total + np.nan_to_num(np.interp(column(name)[0], at, heights))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", default=".local/training", help="folder that cohort.ts wrote")
    parser.add_argument("--out", default="models/cold-start.json")
    options = parser.parse_args()
    cohort = pathlib.Path(options.cohort)
    description = json.loads((cohort / "cohort.json").read_text())
    names = [feature["name"] for feature in description["features"]]
    signs = [feature["sign"] for feature in description["features"]]
    features, label, as_of_day, _, route = read_cohort(cohort / "cohort.csv", names)
    train = (route == "cold_start") & (as_of_day < as_of_day.max())

    column = lambda name: (features[train][:, names.index(name)], signs[names.index(name)])
    x = steps(column)
    mean = np.nanmean(x, axis=0)
    bias, weight = fit(np.nan_to_num(x - mean), label[train], judged_margin(column))
    rules = {**fitted_rules(weight, mean, column), **JUDGED}
    card = {
        "bias": round(float(bias), 2),
        "rules": {
            name: [[value, round(float(height), 2) + 0.0] for value, height in rules[name]]
            for name in names if name in rules
        },
    }
    pathlib.Path(options.out).write_text(json.dumps(card) + "\n")
    for name, points in card["rules"].items():
        print(f"{name:28s}", points)
    print(f"bias {card['bias']}, fitted on {train.sum()} rows")


if __name__ == "__main__":
    main()
