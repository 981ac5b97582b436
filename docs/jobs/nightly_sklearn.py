"""Scores what has come in; run by cron with the directory as argument."""

import os
import sys
from pathlib import Path

import joblib
import pandas as pd

os.chdir(sys.argv[1])
model = joblib.load("model.joblib")
failed = False
for path in sorted(Path("incoming").glob("*.csv")):
    output = Path("scores") / path.name
    if output.exists() and output.stat().st_mtime >= path.stat().st_mtime:
        continue
    try:
        rows = pd.read_csv(path)
        scores = model.score_samples(rows[model.feature_names_in_])
        scored = rows[["id"]].assign(log_density=scores)
        scored.to_csv("scores/unfinished", index=False)
        os.replace("scores/unfinished", output)
    except (KeyError, ValueError) as error:
        output.unlink(missing_ok=True)
        print(f"{path}: {error}", file=sys.stderr)
        failed = True
sys.exit(2 if failed else 0)
