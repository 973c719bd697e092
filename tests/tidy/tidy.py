"""House rules that a machine can check: layers, owners of dependencies, limits, banned things.

Usage: tidy.py ROOT. Prints one line for each finding; the exit code is 1 if there are any.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cpp_text import blank, functions

LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 2 * 1024 * 1024

# Layer -> the layers it may include. Longest prefix wins; what is not listed may include all.
MATRIX = {
    "core/base": {"core/base"},
    "crdt": {"core/base", "crdt"},
    "storage": {"core/base", "storage"},
    "core": {"core/base", "core", "crdt", "storage"},
    "net": {"core/base", "core", "crdt", "storage", "net"},
    "bindings": {"core/base", "core", "crdt", "net", "bindings"},
    "tools": {"core/base", "core", "crdt", "storage", "net", "tools"},
}

# Header of a third party -> the files that own it. Tests may use what they like.
OWNERS = {
    r"uv\.h": r"net/(loop|tcp)\.[ch]pp|net/uv_\w+\.hpp",
    r"lmdb\.h": r"storage/lmdb(_handles|_chunks)?\.[ch]pp",
    r"msgpack(\.hpp|/.*)": r"core/base/pack\.[ch]pp",
    r"xxhash\.h|xxh3\.h": r"core/base/hash\.[ch]pp",
    r"openssl/.*": r"net/(tls|peer_auth)\.[ch]pp",
    r"spdlog/.*": r"core/base/log\.[ch]pp",
    r"zstd\.h": r"core/protocol/compression\.cpp",
    r"http_parser\.h": r"net/http/parser\.cpp",
    r"prometheus/.*": r"net/http/metrics\.cpp",
    r"nlohmann/.*": r"tools/.*|net/http/json\.cpp",
    r"(CLI|toml\+\+)/.*|toml\.hpp|zlib\.h": r"tools/.*",
    r"histedit\.h": r"tools/line_editor\.cpp",
    r"boost/.*": r"(?!)",
}

# Found in C++ with comments and strings blanked -> what to use instead.
BANNED_CPP = {
    r"\bstd::rand\b|\bs?rand\s*\(": "chance comes from Random in core/base/env.hpp",
    r"\b(u|nano)?sleep(_for|_until)?\s*\(": "wait on a timer of the loop, or on a condition",
    r"\bsystem\s*\(": "no shell: nothing outside is run",
}
NEW = re.compile(r"\bnew\b")
NEW_INTO_OWNER = re.compile(r"(?:_ptr<[^;{}]*>\s*(?:\w+\s*)?[({]|\breset\()\s*new\b")
DELETE = re.compile(r"(?<!=)(?<!= )\bdelete\b")

# In pieces, because these words must stand nowhere, this file included.
BANNED_WORDS = {
    "/" + "work/": "a path of one machine",
    "/tmp/" + "bash_jobs": "a path of one machine",
    "FIX" + "ME": "mend it, or write TODO(topic) with the condition that removes it",
}

# Functions longer than allowed, as "path:name": lines. A number may go down, never up.
LONG_FUNCTIONS: dict[str, int] = {}

CPP = {".cpp", ".hpp", ".c", ".h"}
CODE = CPP | {".py", ".pyi", ".sh", ".cmake", ".js", ".css"}
SKIPPED_FOLDERS = {".git", "__pycache__", ".cache"}


def project_files(root):
    """Paths of all files of the project, relative to root: those git knows or would add."""
    if (root / ".git").exists() and shutil.which("git"):
        git = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, check=False)
        if git.returncode == 0:
            names = {Path(os.fsdecode(name)) for name in git.stdout.split(b"\0") if name}
            return sorted(name for name in names if (root / name).is_file())
    return sorted(
        path.relative_to(root) for path in root.rglob("*")
        if path.is_file() and not any(
            part in SKIPPED_FOLDERS or part.startswith("build")
            for part in path.relative_to(root).parts[:-1]))


def layer_of(path):
    """The layer of MATRIX that a path belongs to, or None."""
    matches = [layer for layer in MATRIX if path.startswith(layer + "/")]
    return max(matches, key=len, default=None)


def check_includes(root, path, text):
    """Include matrix and owners of dependencies."""
    layer = layer_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not include:
            continue
        quoted, name = include[1] == '"', include[2]
        if quoted:
            yield from check_own_include(root, path, layer, name, number)
        elif layer is not None:
            for header, owner in OWNERS.items():
                if re.fullmatch(header, name) and not re.fullmatch(owner, path):
                    yield number, f"<{name}> belongs to {owner}"


def check_first_include(root, path, text):
    """A source includes the header of its name first, which shows that it needs no other."""
    header = path[:-len("cpp")] + "hpp"
    if not path.endswith(".cpp") or not (root / header).is_file():
        return
    first = re.search(r'^#include\s*(.*)$', text, re.M)
    if not first or first[1] != f'"{header}"':
        yield text.count("\n", 0, first.start()) + 1 if first else 1, f'"{header}" is not first'


def check_own_include(root, path, layer, name, number):
    """An include in quotes: the file exists, and the layer may see it."""
    if name == "syncline_version.hpp":
        target = "tools/" + name  # generated
    else:
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        target = next((file for file in (beside, name) if (root / file).is_file()), None)
        if target is None:
            yield number, f'"{name}" is no file of the project; third parties stand in <>'
            return
    allowed = MATRIX.get(layer)
    if allowed is not None and layer_of(target) not in allowed:
        yield number, f'{layer} must not include "{name}"'


def check_cpp(root, path, text):
    """What holds for C and C++ sources."""
    if path.endswith((".hpp", ".h")) and not re.search(r"^#pragma once$", text, re.M):
        yield 1, "#pragma once is missing"
    yield from check_includes(root, path, text)
    yield from check_first_include(root, path, text)
    blanked = blank(text)
    for number, line in enumerate(blanked.splitlines(), 1):
        for banned, instead in BANNED_CPP.items():
            if re.search(banned, line):
                yield number, f"banned: {line.strip()} ({instead})"
        if path.endswith((".hpp", ".h")) and re.search(r"\busing\s+namespace\b", line):
            yield number, "using namespace in a header"
    owned = {match.end() for match in NEW_INTO_OWNER.finditer(blanked)}
    for match in [*NEW.finditer(blanked), *DELETE.finditer(blanked)]:
        if match.end() not in owned:
            line = blanked.count("\n", 0, match.start()) + 1
            yield line, f"naked {match[0]}: an owner such as std::unique_ptr has it"
    yield from check_function_lengths(path, functions(blanked))


def check_python(path, text):
    """What holds for Python sources."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append((node.name, node.lineno, node.end_lineno))
    yield from check_function_lengths(path, found)


def check_function_lengths(path, found):
    """The ratchet: (name, first line, last line) of each function against its bound."""
    for name, first, last in found:
        lines = last - first + 1
        bound = LONG_FUNCTIONS.get(f"{path}:{name}", FUNCTION_LINES_MAX)
        if lines > bound:
            yield first, f"{name} has {lines} lines, {bound} are allowed"
        elif lines < bound != FUNCTION_LINES_MAX:
            yield first, f"{name} got shorter: put {lines} into LONG_FUNCTIONS, or remove it"


def check_text(path, text):
    """What holds for every text file."""
    code = Path(path).suffix in CODE or path.endswith("CMakeLists.txt")
    for number, line in enumerate(text.split("\n"), 1):
        if code and len(line) > LINE_COLUMNS_MAX and "://" not in line:
            yield number, f"{len(line)} columns, {LINE_COLUMNS_MAX} are allowed"
        if "\t" in line:
            yield number, "tab"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        for word, why in BANNED_WORDS.items():
            if word in line:
                yield number, f"{word}: {why}"
    if code and text.count("\n") > FILE_LINES_MAX:
        yield 1, f"{text.count(chr(10))} lines, {FILE_LINES_MAX} are allowed"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"


def check_file(root, name):
    """All findings (line, sentence) in one file of the project."""
    path = name.as_posix()
    if path.startswith("tests/data/") or path.startswith("tests/fuzz/corpus/"):
        return
    content = (root / name).read_bytes()
    if len(content) > FILE_BYTES_MAX:
        yield 1, f"{len(content)} bytes, {FILE_BYTES_MAX} are allowed outside tests/data"
    if b"\0" in content:
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        yield 1, f"not UTF-8: {error}"
        return
    yield from check_text(path, text)
    if name.suffix in CPP:
        yield from check_cpp(root, path, text)
    elif name.suffix == ".py":
        yield from check_python(path, text)


def check_tree(root):
    """All findings in a tree, as lines of text."""
    root = Path(root)
    return [f"{name.as_posix()}:{line}: {finding}"
            for name in project_files(root) for line, finding in check_file(root, name)]


def main():
    """Checks the tree named on the command line."""
    findings = check_tree(sys.argv[1])
    print("\n".join(findings) or "House rules hold.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
