"""What is published: types, documents, the wheel."""

import ast
import doctest
import os
import pathlib
import subprocess
import sys

import syncline

SOURCE = pathlib.Path(os.environ["SYNCLINE_SOURCE"]) / "bindings" / "python"


def test_the_readme_runs():
    done = doctest.testfile(str(SOURCE / "README.md"), module_relative=False)
    assert done.failed == 0 and done.attempted > 10


def test_stubs_name_what_is_there():
    tree = ast.parse((SOURCE / "syncline" / "__init__.pyi").read_text(encoding="utf-8"))
    declared = {node.name: node for node in tree.body
                if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name[0] != "_"}
    assert set(declared) == set(syncline.__all__)
    private = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

    def methods(node):
        own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in private:
                own |= methods(private[base.id])
        return own

    for name, node in declared.items():
        if not isinstance(node, ast.ClassDef):
            continue
        kind = getattr(syncline, name)
        for method in methods(node):
            assert hasattr(kind, method), (name, method)
        public = {one for one in vars(kind) if one[0] != "_" and callable(getattr(kind, one))}
        if not issubclass(kind, (Exception, tuple)):
            assert public <= methods(node), (name, public - methods(node))


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
