"""What is published: types, documents, the wheel."""

import doctest
import os
import pathlib
import subprocess
import sys

import syncline

SOURCE = pathlib.Path(os.environ["SYNCLINE_SOURCE"]) / "bindings" / "python"
MODULE = str(pathlib.Path(syncline.__file__).parents[1])


def test_the_readme_runs():
    done = doctest.testfile(str(SOURCE / "README.md"), module_relative=False)
    assert done.failed == 0 and done.attempted > 10


# Objects that only the module itself makes: how it does that is nobody's business.
MADE_INSIDE = r"""
syncline\.(Database|Snapshot|Transaction|Watch)\.__init__
syncline\.Siblings\.__new__
"""


def test_the_stubs_are_true(tmp_path):
    stubs = tmp_path / "stubs" / "syncline"  # alone: else the modules beside it are checked too
    stubs.mkdir(parents=True)
    stubs.joinpath("__init__.pyi").write_bytes(
        (SOURCE / "syncline" / "__init__.pyi").read_bytes())
    allowed = tmp_path / "allowed"
    allowed.write_text(MADE_INSIDE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "syncline", "--ignore-missing-stub", "--allowlist",
         allowed],
        env={**os.environ, "MYPYPATH": str(stubs.parent), "PYTHONPATH": MODULE}, cwd=tmp_path,
        capture_output=True, timeout=300, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_installs_and_runs(tmp_path):
    run = {"check": True, "capture_output": True, "timeout": 900, "text": True}
    environment = {**os.environ, "SYNCLINE_SOURCE": str(SOURCE.parents[1])}
    environment.pop("PYTHONPATH", None)
    copy = tmp_path / "source"
    subprocess.run(["cp", "-r", SOURCE, copy], **run)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--wheel", copy, "-o",
                    tmp_path / "dist"], env=environment, **run)
    wheel = next((tmp_path / "dist").glob("syncline-*.whl"))
    subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target",
                    tmp_path / "site", wheel], env=environment, **run)
    assert (tmp_path / "site" / "syncline" / "py.typed").exists()
    program = ("import sys, syncline\n"
               "with syncline.open(sys.argv[1]) as db: print(db.counter('n').add(2))")
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "d"],
                          env={**environment, "PYTHONPATH": str(tmp_path / "site")}, **run)
    assert done.stdout == "2\n"
