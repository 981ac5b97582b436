"""The parts of the benchmarks that compute without measuring, and the page they are shown on."""

from __future__ import annotations

import copy
import importlib
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from gaussmix import GaussianMixture
from gaussmix._estep import score_plan, sums
from gaussmix._parameters.layouts import layout_of
from gaussmix._rows import array_rows
from gaussmix._runtime import instruction_sets
from support.families import COVARIANCE_TYPES
from support.paths import ROOT

FOLDER = ROOT / "benchmarks"
NAMES = (
    "checkouts", "compare", "cost_model", "growth", "imputation", "jobs", "missing", "nights",
    "online", "opening", "page", "plots", "scaling", "sections", "shapes", "tables", "targets",
)  # fmt: skip

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[SimpleNamespace]:
    """The modules, importable only here: names such as ``tables`` belong to others elsewhere."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(FOLDER))
        for name in set(sys.modules) - before:
            if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture
def record(benchmarks) -> dict:
    """The record the committed page was written from."""
    return json.loads(benchmarks.page.named_records()[0].read_text(encoding="utf-8"))


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(FOLDER / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# --- the page ------------------------------------------------------------------------------------


def test_the_committed_page_is_what_its_records_give_and_checking_needs_no_matplotlib():
    code = "import sys, runpy; sys.modules['matplotlib'] = None; sys.argv = sys.argv[1:]; "
    code += (
        f"sys.path.insert(0, {str(FOLDER)!r}); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(FOLDER / "page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("changed", ["PAGE", "README", "INDEX", "CONTRIBUTING"])
def test_a_page_edited_by_hand_is_found(benchmarks, monkeypatch, tmp_path, capsys, changed):
    page = benchmarks.page
    copied = tmp_path / getattr(page, changed).name
    text = getattr(page, changed).read_text("utf-8")
    copied.write_text(text.replace("| 1,000,000", "| 1,000,001", 1))
    paths = [str(path) for path in page.named_records()]
    monkeypatch.setattr(page, changed, copied)
    with pytest.raises(SystemExit) as stopped:
        page.main(["--check", *paths])
    assert stopped.value.code == 1
    assert copied.name in capsys.readouterr().out


def test_the_three_lines_are_printed_by_their_command(benchmarks, capsys):
    benchmarks.page.main(["--front"])
    assert capsys.readouterr().out.strip() in benchmarks.page.INDEX.read_text("utf-8")


def on_another_processor(record: dict, factor: float) -> dict:
    """The record with its default fits of scikit-learn ``factor`` times as long."""
    other = copy.deepcopy(record)
    other["machine"]["processor"] = "AMD EPYC 9V74 80-Core Processor"
    for shape in other["shapes"]:
        shape["fit"]["scikit-learn"]["median"] *= factor
    return other


def test_two_processors_stand_side_by_side(benchmarks, record):
    records = [record, on_another_processor(record, 3.0)]
    header, _, *lines = benchmarks.opening.fits(records).splitlines()
    columns = [cell.strip() for cell in header.split("|")[1:-1]]
    assert columns[1:] == [
        f"{name}, {processor}"
        for processor in ("Intel Xeon", "AMD EPYC 9V74")
        for name in ("gaussmix", "scikit-learn", "times")
    ]
    cells = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    fit = record["shapes"][0]["fit"]
    ratio = fit["scikit-learn"]["median"] / fit["gaussmix"]["median"]
    assert cells[0] == "1,000,000 × 2, 3"
    assert [float(cells[i]) for i in (3, 6)] == pytest.approx([ratio, 3 * ratio], abs=0.51)
    front = benchmarks.opening.front(records, "the command")
    assert "| times as fast, Intel Xeon | times as fast, AMD EPYC 9V74 |" in front
    page = benchmarks.page
    text = page.page(page.Records({Path("a.json"): records[0], Path("b.json"): records[1]}))
    assert "-o b.json  # on the AMD EPYC 9V74" in text
    assert text.count("**AMD EPYC 9V74**") == len(benchmarks.sections.OF_A_RUN)


def test_a_figure_of_another_record_is_found(benchmarks, record):
    assert benchmarks.page.stale_figures(record, None) == []
    other = copy.deepcopy(record)
    other["shapes"][0]["iteration"]["gaussmix"]["median"] *= 1.01
    stale = benchmarks.page.stale_figures(other, None)
    assert [path.name for path in stale] == [
        f"{name}.svg" for name in benchmarks.plots.figures(other, None)
    ]


def test_parts_that_a_record_lacks_are_named_and_not_an_error(benchmarks, record):
    for shape in record["shapes"]:
        for part in ("iteration", "scoring", "fit", "memory"):
            shape.pop(part, None)
    kept = ("date", "machine", "versions", "differences", "repeats", "quick", "shapes", "FMA peak")
    bare = {name: record[name] for name in kept}
    text = benchmarks.page.page(benchmarks.page.Records({Path("bare.json"): bare}))
    draws = "rows that `sample` draws"
    for what in ("EM iterations", "one row", "float32", "peak memory", "growth", "cliffs", draws):
        assert f"*Not in this record: {what}.*" in text
    assert "{" not in text


def test_every_placeholder_of_the_template_has_a_section(benchmarks, record):
    lines = benchmarks.page.TEMPLATE.read_text(encoding="utf-8").splitlines()
    placeholders = {line[1:-1] for line in lines if line.startswith("{")}
    assert placeholders == {*benchmarks.sections.sections([record], []), "commands"}


def test_targets_say_what_was_reached(benchmarks):
    shape = {"n": 1_000_000, "d": 10, "K": 8, "type": "full"}
    ours = {"median": 0.010, "GF/s": 50.0}
    shape["iteration"] = {
        "gaussmix": ours,
        "scikit-learn": {"median": 0.710},
        "oneDAL": {"median": 0.020},
    }
    made = {"shapes": [shape], "FMA peak": {"best": 200e9}}
    assert benchmarks.targets.iteration_rows(made) == [
        ["1,000,000, 10, 8, full", "71.0 / 70.0 yes", "2.00 / 2.50 **no**", "25 % / 28 % **no**"]
    ]
    made["single row"] = {"gaussmix": {"median": 7e-6}}
    (outcome,) = benchmarks.targets.further(made)
    assert outcome.cells() == ["score_samples of one row", "at most 8 µs", "7", "yes"]
    found = [benchmarks.targets.reached(made, goal) for goal in benchmarks.targets.GOALS]
    assert sorted(found) == ["1 of 1", *["not measured"] * 6]


# --- how cost grows ------------------------------------------------------------------------------


def points_over(benchmarks, sweep: str, sizes: list[int], cost) -> list[dict]:
    """Points of which a row takes ``cost(size)`` times what its work says."""
    growth, made = benchmarks.growth, []
    for size in sizes:
        values = {"n": 4096, "d": 8, "K": 8} | {sweep: size}
        shape = benchmarks.shapes.Shape(values["n"], values["d"], values["K"], "full", 1)
        seconds = 1e-9 * growth.work(shape) * cost(size)
        made.append(growth.point("gaussmix", shape, 2, 4, [0.5, 0.7], [0.5 + 4 * seconds, 9.0]))
    return made


def test_an_iteration_is_the_least_disturbed_long_run_less_the_least_disturbed_short(benchmarks):
    shape = benchmarks.shapes.Shape(1000, 2, 3, "diag", 1)
    point = benchmarks.growth.point("gaussmix", shape, 1, 5, [2.0, 1.0], [3.0, 1.5])
    assert point["seconds"] == pytest.approx(0.1)
    assert point["ns per row and component"] == pytest.approx(0.1e9 / 3000)
    with pytest.raises(SystemExit, match="1000x2-3-diag: 6 iterations took no longer than one"):
        benchmarks.growth.point("gaussmix", shape, 1, 5, [1.0], [1.0])


@pytest.mark.parametrize("sweep", ["n", "d", "K"])
def test_cost_in_proportion_to_the_work_has_no_cliff(benchmarks, sweep):
    smooth = points_over(benchmarks, sweep, [8, 16, 17, 64], lambda size: 1.0 + 1.0 / size)
    assert benchmarks.growth.cliffs(sweep, smooth, 1.3) == []


def test_a_jump_of_the_cost_is_a_cliff(benchmarks):
    growth = benchmarks.growth
    points = points_over(benchmarks, "d", [18, 15, 16, 17], lambda d: 2.0 if d > 16 else 1.0)
    ((found, small, large),) = growth.cliffs("d", points, 1.3)
    assert (found["from"], found["to"], found["type"]) == (16, 17, "full")
    assert found["per unit of work"] == pytest.approx(2.0)
    assert (small["d"], large["d"]) == (16, 17)
    assert growth.cliffs("d", points, 2.1) == []
    text = "\n".join(growth.cliff_lines({"cliffs": [found], "cliff factor": 1.3}))
    assert "| d    | full | 4,096 |" in text
    assert "x 2.00" in text


def test_a_larger_problem_that_is_cheaper_is_a_cliff(benchmarks):
    points = points_over(benchmarks, "d", [15, 16, 17], lambda d: 1.2 if d < 16 else 0.9)
    assert [found["to"] for found, *_ in benchmarks.growth.cliffs("d", points, 1.3)] == [16]


# --- many machines -------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [8, 32])  # with products of features, and by triangles
@pytest.mark.parametrize("family", COVARIANCE_TYPES)
def test_the_cost_model_counts_what_the_library_does(benchmarks, family, d):
    mixture = benchmarks.cost_model.Mixture(5, d, family)
    model = benchmarks.scaling.overlapping(mixture)
    rows = array_rows.Rows(np.random.default_rng(0).normal(size=(4000, d)))
    scores = score_plan.scores_for_sums(model._parameters(), rows, single=False)
    if scores.estep == "triangular":
        work = sums._moment_work("outer", 5, d, d)
    else:
        kernels = instruction_sets.kernels()
        width = kernels.width(kernels.FEATURE_SETS[layout_of(family).features], d)
        work = sums._moment_work("dots", 5, d, width) // 2  # the planner counts them twice
    assert mixture.multiply_adds() == (scores.row_work, work)

    statistics = model.accumulate(rows.X)
    numbers = [statistics.weight, statistics.first, statistics.shift, statistics.second]
    assert mixture.statistics_numbers() == sum(array.size for array in numbers)
    arrays = (value for value in vars(model).values() if isinstance(value, np.ndarray))
    assert mixture.model_numbers() == sum(array.size for array in arrays)


def test_a_tree_beats_the_driver_where_statistics_are_large(benchmarks):
    cost = benchmarks.cost_model
    cluster = cost.Cluster(machines=100, cores=16, network=1e9, latency=1e-3)
    assert cluster.depth() == (4, 7)
    rates = cost.Rates(1e7, 10**9, 10**9, add=0.5, pickle=0.25, update=2.0)
    # Within machines 4 x 0.75 s; between them 7 x (1 ms + 1 s + 0.75 s) up and (1 ms + 1 s) down.
    assert cost.tree_seconds(cluster, rates) == pytest.approx(3.0 + 7 * 2.752 + 2.0)
    assert cost.driver_seconds(cluster, rates, 1600) == pytest.approx(0.002 + 100 + 2800 + 2.0)


def test_a_pass_takes_as_long_as_the_slowest_of_core_memory_and_disk(benchmarks):
    cost = benchmarks.cost_model
    cluster = cost.Cluster(machines=10, cores=10, disk=1e9, memory=1e10)
    slow, fast = (cost.Rates(rows, 1, 1, 0.0, 0.0, 0.0) for rows in (1e5, 1e9))
    assert cost.read_seconds(cluster, 1e8, 40, slow) == pytest.approx((10.0, 10.0))
    assert cost.read_seconds(cluster, 1e8, 40, fast) == pytest.approx((0.08, 0.4))


def test_stragglers_cost_what_order_statistics_say(benchmarks):
    cost = benchmarks.cost_model
    cluster = cost.Cluster(machines=100, cores=4)
    assert cost.straggling(cluster, 0.0, 3, by_machine=False) == pytest.approx(1.0)
    # The mean of the largest of 100 lognormal times with mean 1, integrated.
    times = np.linspace(0.0, 20.0, 200_001)
    below = stats.lognorm.cdf(times, 0.2, scale=np.exp(-0.02)) ** 100
    largest = np.sum(1.0 - below) * (times[1] - times[0])
    assert cost.straggling(cluster, 0.2, 1, by_machine=True) == pytest.approx(largest, rel=0.01)
    several, one = (cost.straggling(cluster, 0.2, tasks, by_machine=False) for tasks in (8, 1))
    assert 1.0 < several < one


@pytest.mark.parametrize("program", ["imputation", "jobs", "missing", "online", "scaling"])
def test_the_page_has_a_place_for_every_table(benchmarks, program):
    page = getattr(benchmarks, program).PAGE.read_text(encoding="utf-8")
    with_tables, file = benchmarks.tables.with_tables, f"{program}.py"
    names = re.findall(rf"^<!-- (.+) of benchmarks/{file} -->$", page, re.MULTILINE)
    assert names
    made = {name: [f"the table of {name}"] for name in names}
    written = with_tables(page, file, made)
    assert all(written.count(lines[0]) == 1 for lines in made.values())
    assert with_tables(written, file, made) == written
    with pytest.raises(SystemExit, match=f"0 places .* for the table 'another' of {file}"):
        with_tables(page, file, {"another": []})


@pytest.mark.slow
def test_scaling_prints_a_table_for_every_place(benchmarks):
    done = run("scaling.py", "--quick")
    assert done.returncode == 0, done.stderr
    page = benchmarks.scaling.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\*\*.*\*\*$", done.stdout, re.MULTILINE) == re.findall(
        r"^\*\*.*\*\*$", page, re.MULTILINE
    )


# --- data that keep coming -----------------------------------------------------------------------


def test_gaps_are_percent_of_what_batch_em_reaches(benchmarks, monkeypatch):
    online = benchmarks.online
    monkeypatch.setattr(online, "EXPONENTS", (0.6, 1.0))
    monkeypatch.setattr(online, "BATCHES", (100, 2000))
    data = online.Data(3, 2, 6.0, "overlapping")
    found = online.gaps(data, 2000)
    X, labels = data.rows(2000)
    begin = online.start(X, 3)
    best = online.batch_em(X, begin).score(X)
    one_step = GaussianMixture(3, **begin).partial_fit(X).score(X)  # all rows are one batch
    np.testing.assert_allclose(found.shuffled[1], 100 * (best - one_step) / -best, rtol=1e-9)
    np.testing.assert_allclose(found.ordered[1], found.shuffled[1], rtol=1e-6)
    assert (found.ordered[0] > found.shuffled[0]).all()
    assert found.shuffled.shape == (2, 2)
    assert set(labels) == {0, 1, 2}

    lines = online.table({data: found}, 2000)
    assert lines[0] == "**Percent below batch EM after one pass over 2,000 shuffled rows**"
    cells = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert cells[:2] == ["K=3, d=2, overlapping (6)", "100"]
    assert [float(cell) for cell in cells[2:]] == pytest.approx(found.shuffled[0], abs=0.0051)
    assert f"{found.ordered.max():.2f} percent below." in lines[-2]


def test_no_gap_has_no_sign(benchmarks):
    assert [benchmarks.online.figure(gap) for gap in (-0.004, -0.006)] == ["0.00", "-0.01"]


def test_components_are_as_far_apart_as_their_name_says(benchmarks):
    shape = benchmarks.shapes.Shape(30_000, 4, 1000, "full", 1)
    X, labels = benchmarks.shapes.spherical_rows(shape, 6.0)
    centres = np.array([X[labels == k].mean(axis=0) for k in range(shape.K)])
    squares = ((centres[:500] - centres[500:]) ** 2).sum(axis=1) - 2 * 4 / 30  # less their errors
    assert np.sqrt(squares.mean()) == pytest.approx(6.0, rel=0.05)


def test_the_table_of_the_page_has_all_mixtures_batches_and_exponents(benchmarks):
    online = benchmarks.online
    page = online.PAGE.read_text(encoding="utf-8")
    table = page.partition("<!-- gaps")[2].partition("<!-- end -->")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0][2:] == [str(exponent) for exponent in online.EXPONENTS]
    assert [row[0] for row in cells[2:] if row[0]] == [data.name for data in online.MIXTURES]
    batches = [f"{size:,}" for size in online.BATCHES]
    assert [row[1] for row in cells[2:]] == batches * len(online.MIXTURES)


# --- ten jobs ------------------------------------------------------------------------------------


def test_lines_that_a_person_types_are_counted(benchmarks, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        '"""What it does,\n\nat length."""\n\n# why\nx = [  # because\n    1,\n]\n\n\n'
        'def double(y):\n    """Twice."""\n    return """two\nlines""" * y\n',
        encoding="utf-8",
    )
    assert benchmarks.jobs.typed_lines(script) == 6
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n# why\n\necho \\\n  one\n", encoding="utf-8")
    assert benchmarks.jobs.typed_lines(script) == 2


def test_every_job_has_a_script_for_either_library(benchmarks):
    jobs = benchmarks.jobs
    scripts = {jobs.script_of(name, library) for name in jobs.JOBS
               for library in ("gaussmix", "scikit-learn")}  # fmt: skip
    assert len(jobs.JOBS) == 10
    assert len(scripts) == 20
    assert scripts == {path for path in jobs.SCRIPTS.iterdir() if path.suffix in (".py", ".sh")}


def test_a_script_for_scikit_learn_needs_one_line_changed(benchmarks):
    ours, theirs = (
        benchmarks.jobs.script_of("migration", library).read_text("utf-8").splitlines()
        for library in ("gaussmix", "scikit-learn")
    )
    assert set(ours) ^ set(theirs) == {
        "from gaussmix import GaussianMixture",
        "from sklearn.mixture import GaussianMixture",
    }


# --- missing values ------------------------------------------------------------------------------


def test_a_tenth_of_the_values_is_missing_in_many_patterns_and_in_four(benchmarks):
    missing = benchmarks.missing
    X = np.random.default_rng(0).normal(size=(20_000, missing.FEATURES))
    scattered, grouped = missing.each_by_itself(X), missing.in_groups(X)
    for incomplete in (scattered, grouped):
        there = ~np.isnan(incomplete)
        assert np.mean(~there) == pytest.approx(0.1, abs=0.005)
        np.testing.assert_array_equal(incomplete[there], X[there])
    assert missing.n_patterns(scattered) > 200
    assert missing.n_patterns(grouped) == 4
    assert missing.n_patterns(X) == 1
    assert sorted(column for group in missing.GROUPS for column in group) == list(range(10))


def test_ratios_are_medians_over_turns(benchmarks):
    found = {"nothing": [1.0, 2.0, 4.0], "each by itself": [3.0, 4.0, 20.0]}
    assert benchmarks.missing.ratio(found, "each by itself") == 3.0


def test_iterations_on_incomplete_rows_are_measured(benchmarks):
    missing = benchmarks.missing
    found = missing.measured_times(1000, ["diag"], threads=1, repeats=1)
    assert list(found["diag"]) == list(missing.KINDS)
    cells = missing.time_table(found, 1000, 1)[4].split("|")
    assert [len(values) for values in found["diag"].values()] == [1, 1, 1, 1]
    assert float(cells[-2]) == pytest.approx(missing.ratio(found["diag"], "in groups"), abs=0.0051)


def test_values_go_where_another_column_is_large(benchmarks):
    X = np.random.default_rng(0).normal(size=(5000, 5))
    incomplete, taken = benchmarks.imputation.holed(
        X, benchmarks.imputation.where_another_is_large, 0
    )
    assert not taken[:, [0, 2, 4]].any()
    np.testing.assert_array_equal(np.isnan(incomplete), taken)
    for left, column in ((0, 1), (2, 3)):
        upper = X[:, left] > np.median(X[:, left])
        assert taken[upper, column].mean() == pytest.approx(0.45, abs=0.03)
        assert taken[~upper, column].mean() == pytest.approx(0.15, abs=0.03)


def test_imputers_fill_in_the_same_values(benchmarks, monkeypatch):
    imputation = benchmarks.imputation
    monkeypatch.setattr(imputation, "COMPONENTS", (1, 2))
    monkeypatch.setattr(imputation, "FAMILIES", ("full",))
    X = imputation.iris()
    found = imputation.compared(X, imputation.MECHANISMS["10 % at random"], 1)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    incomplete, taken = imputation.holed(scaled, imputation.MECHANISMS["10 % at random"], 0)
    by_hand = (np.nanmean(incomplete, axis=0) - scaled)[taken]
    assert found["mean"][0] == pytest.approx(np.sqrt(np.mean(by_hand**2)))
    assert found["mixture"][0] < 0.6 * found["mean"][0]
    made = imputation.made_tables({("iris", "10 % at random"): found}, {"iris": X.shape})
    assert list(made) == ["errors", "times"]
    lowest = min(value for value, _ in found.values())
    assert f"**{lowest:.3f}**" in made["errors"][4]
    assert made["errors"][4].startswith("| iris, 150 x 4 |")


# --- two commits ---------------------------------------------------------------------------------


def test_the_interval_covers_the_median_as_often_as_it_says(benchmarks):
    interval = benchmarks.compare.median_interval
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert interval([*range(6)]) == (0, 5)
    assert interval([*range(9)]) == (1, 7)
    draws = np.random.default_rng(0).exponential(size=(4000, 15))
    covered = [low <= np.log(2.0) <= high for low, high in map(interval, draws.tolist())]
    assert 0.95 < np.mean(covered) < 0.985  # exactly 0.9648


def test_a_change_is_marked_only_outside_noise(benchmarks):
    change = benchmarks.compare.change
    assert change([1.2, 1.1, 1.3, 1.15, 1.2, 1.25]) == "faster"
    assert change([0.8, 0.9, 0.85, 0.9, 0.7, 0.95]) == "slower"
    assert change([1.2, 0.99, 1.3, 1.15, 1.2, 1.25]) == ""
    assert change([1.01] * 6) == ""
    assert change([1.5] * 5) == "too few rounds"


def test_only_what_is_slower_for_sure_and_by_enough_is_an_error(benchmarks):
    compare = benchmarks.compare
    shape = benchmarks.shapes.SHAPES[1]

    def row(part, speed_ups):
        head = {"seconds": 1.0, "value": 1.0}
        rounds = [[({"seconds": seconds, "value": 1.0}, head)] for seconds in speed_ups]
        return compare.compared(part, shape, rounds)

    rows = [
        row("half", [0.5, 0.52, 0.48, 0.5, 0.51, 0.5]),
        row("noise", [0.5, 0.9, 0.5, 0.5, 0.5, 0.5]),
        row("little", [0.8] * 6),
        row("faster", [2.0] * 6),
    ]
    assert compare.slowdowns(rows, 0.67) == [
        "half of 1000000x10-8-full: 0.50 of the speed of the base"
    ]
    assert compare.slowdowns(rows, 0.0) == []


def test_a_comparison_says_what_got_faster_and_whether_results_agree(benchmarks):
    compare = benchmarks.compare
    shape = benchmarks.shapes.SHAPES[1]
    pair = ({"seconds": 0.06, "value": -14.0}, {"seconds": 0.04, "value": -14.0014})
    row = compare.compared("iteration", shape, [[pair, pair]] * 6)
    assert row["speed-up"] == pytest.approx(1.5)
    made = {
        "machine": {"processor": "a processor", "threads used": 2},
        "instruction set": None,
        "repeats": 6,
        "threading": ["pool", "either"],
        "busy": 1,
        "base": {"name": "old"},
        "head": {"name": "new"},
        "rows": [row],
    }
    text = compare.render(made)
    assert "**old (base) against new (head)**" in text
    assert "loops by pool and either; 1 other programs compute" in text
    assert "1.500 to 1.500 | faster |      1e-04 |" in text
    assert "The results differ: iteration of 1000000x10-8-full by 1.0e-04." in text


@needs_git
def test_exports_hold_what_git_tracks_and_new_files(benchmarks, monkeypatch, tmp_path):
    checkouts = benchmarks.checkouts
    repository = tmp_path / "repository"
    repository.mkdir()
    monkeypatch.setattr(checkouts, "ROOT", repository)
    for name, text in ((".gitignore", "*.o\n"), ("kept", "1"), ("deleted", "1"), ("x.o", "1")):
        (repository / name).write_text(text)
    checkouts.git("init", "-q")
    checkouts.git("add", ".")
    checkouts.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    (repository / "kept").write_text("2")
    (repository / "deleted").unlink()
    (repository / "new").write_text("2")
    contents = []
    for reference in ("HEAD", None):
        folder = tmp_path / str(reference)
        checkouts.export(checkouts.resolve(reference), folder)
        contents.append({path.name: path.read_text() for path in folder.iterdir()})
    assert contents == [
        {".gitignore": "*.o\n", "kept": "1", "deleted": "1"},
        {".gitignore": "*.o\n", "kept": "2", "new": "2"},
    ]
    with pytest.raises(SystemExit, match="'nosuch' is no commit of this repository"):
        checkouts.resolve("nosuch")


# --- wrong arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        ("compare.py", ["HEAD", "--repeats", "0"], "must be at least 1"),
        ("compare.py", ["HEAD", "--shapes", "9"], "invalid choice: 9"),
        ("compare.py", ["HEAD", "--fail-below", ".5", "--repeats", "5"], "--repeats 6 or more"),
        ("growth.py", ["--factor", "1"], "--factor 1: a cliff is a factor above 1"),
        ("growth.py", ["--threads", "0"], "must be at least 1"),
        ("imputation.py", ["--seeds", "0"], "--seeds must be at least 1"),
        ("missing.py", ["--rows", "999"], "--rows must be at least 1000"),
        ("online.py", ["--rows", "999"], "--rows must be at least 1000"),
        ("scaling.py", ["--workers", "0"], "--workers must be at least 1"),
        ("page.py", [], "give a record of run.py"),
        ("page.py", ["nowhere.json"], "nowhere.json: no record"),
        ("page.py", [str(ROOT / "README.md")], "README.md: no record"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line(
    benchmarks, program, arguments, message, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / program), run_name="__main__")
    assert ended.value.code not in (None, 0)
    said = capsys.readouterr().err or str(ended.value.code)
    assert message in said.splitlines()[-1]
