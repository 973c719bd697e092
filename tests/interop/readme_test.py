"""Every snippet of README.md does what it says.

Blocks are found by their language. `console`: lines after "$ " are run by bash in one folder, one
after the other, with `syncline` on the PATH; the lines below them are what they print, where "..."
stands for anything. `cpp` is built against the installed package, `python` runs with the built
module; the block of `text` that follows is their output. The README's replica on port 7379 is one
on a free port here.
A command that the test cannot run stands in NOT_RUN, with the reason.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from cluster import Cluster

SYNCLINE = os.environ["SYNCLINE_BINARY"]
SOURCE = os.environ["SYNCLINE_SOURCE"]
BUILD = os.path.dirname(SYNCLINE)

# Builds with sanitizers have no Python module.
HAS_PYTHON = os.path.isdir(os.path.join(BUILD, "python"))

NOT_RUN = {
    "bash tools/demo.sh": "builds the program once more; its run is a test of its own",
    "bash tests/run.sh": "runs this test",
    "syncline serve": "the test has started it",
    "syncline compare --quick": "takes two minutes; a shorter one is a test of its own",
}


def blocks():
    """(language, text) of all fenced blocks, in order."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        return re.findall(r"^```(\w*)\n(.*?)^```$", file.read(), re.M | re.S)


def matches(expected, output):
    """Whether the output is what the README shows; "..." stands for anything."""
    pattern = "".join(".*" if part == "..." else re.escape(part)
                      for part in re.split(r"(\.\.\.)", expected.strip()))
    return re.fullmatch(pattern, output.strip(), re.S) is not None


def console(text, folder, environment, port):
    """Runs the commands of one block and compares what they print."""
    for command, expected in re.findall(r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)", text, re.M):
        if any(command.startswith(start) for start in NOT_RUN):
            continue
        done = subprocess.run(["bash", "-c", command.replace("7379", str(port))], cwd=folder,
                              env=environment, capture_output=True, text=True, timeout=120,
                              check=False)
        output = (done.stdout + done.stderr).replace(str(port), "7379")
        assert matches(expected, output), f"$ {command}\n{output}\ninstead of\n{expected}"


def cpp(text, folder):
    """Output of a C++ program built against the installed package."""
    prefix = os.path.join(folder, "prefix")
    run = {"check": True, "capture_output": True, "timeout": 300, "text": True}
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], **run)
    program = os.path.join(folder, "program")
    os.makedirs(program)
    with open(os.path.join(program, "main.cpp"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(program, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(program CXX)\n"
                   "set(CMAKE_CXX_STANDARD 20)\nfind_package(syncline CONFIG REQUIRED)\n"
                   "add_executable(program main.cpp)\n"
                   "target_link_libraries(program PRIVATE syncline::syncline)\n")
    subprocess.run(["cmake", "-S", program, "-B", program, f"-DCMAKE_PREFIX_PATH={prefix}"], **run)
    subprocess.run(["cmake", "--build", program], **run)
    return subprocess.run([os.path.join(program, "program")], cwd=folder, **run).stdout


def python(text, folder, environment):
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment, timeout=120,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def main():
    folder = tempfile.mkdtemp()
    environment = {**os.environ, "PATH": BUILD + os.pathsep + os.environ["PATH"],
                   "PYTHONPATH": os.path.join(BUILD, "python")}
    found = blocks()
    ran = set()
    try:
        with Cluster(1) as cluster:
            for index, (language, text) in enumerate(found):
                if language == "console":
                    console(text, folder, environment, cluster.replicas[0].port)
                elif language == "python" and not HAS_PYTHON:
                    continue
                elif language in ("cpp", "python"):
                    output = cpp(text, folder) if language == "cpp" else \
                        python(text, folder, environment)
                    following, expected = found[index + 1]
                    assert following == "text" and matches(expected, output), output
                else:
                    assert language in ("text", ""), language
                ran.add(language)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert {"console", "cpp"} | ({"python"} if HAS_PYTHON else set()) <= ran, ran


if __name__ == "__main__":
    main()
