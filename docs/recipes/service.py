"""A scoring service: rows come as JSON, their log-densities go back.

    pip install gaussmix flask gunicorn pandas
    gunicorn --threads 8 --bind 127.0.0.1:8000 'service:application("model.npz")'

The model was fitted to named columns. A request is a list of rows:

    curl -s -H 'Content-Type: application/json' http://127.0.0.1:8000/score \
        -d '[{"eruptions": 3.6, "waiting": 79}, {"eruptions": 3.6, "waiting": 20}]'
"""

from __future__ import annotations

import pandas as pd
from flask import Flask, request

import gaussmix


def application(path: str) -> Flask:
    """The service of one model, which is read once; all threads score with it."""
    model = gaussmix.load(path)
    columns = [str(name) for name in model.feature_names_in_]
    app = Flask(__name__)

    @app.post("/score")
    def score():
        try:
            rows = pd.DataFrame(request.get_json())
            missing = [name for name in columns if name not in rows]
            if missing:
                raise ValueError(f"no value for {', '.join(missing)}")
            density = model.score_samples(rows[columns])
        except (TypeError, ValueError) as error:  # whose text says what to correct
            return {"error": str(error)}, 400
        return {"log_density": density.tolist()}

    @app.get("/health")
    def health():
        return {"components": len(model.weights_), "columns": columns}

    return app
