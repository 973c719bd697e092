"""Just enough reading of C++ for house rules: no comments, no strings, where functions stand."""

import re

_COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<fence>[^(\s\\]*)\(.*?\)(?P=fence)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",  # not the one in 1'000
    re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
_SUITE = re.compile(r"^BOOST_AUTO_TEST_SUITE\(\w+\)$", re.M)  # opens a namespace


def blank(text):
    """The text with spaces in place of comments and literals; line numbers stay."""
    return _COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def functions(text):
    """(name, first line, last line) of each function, lambdas and local classes not counted.

    Takes blanked text. A guess by braces: it knows namespaces, classes, initialisers, test macros.
    """
    text = _DIRECTIVE.sub(lambda match: "\n" * match[0].count("\n"), text)
    text = _SUITE.sub(lambda match: " " * len(match[0]), text)
    found = []
    kinds = []  # of each open brace: "scope", "body" or "list"
    start = None  # where the current declaration begins
    parens = 0
    for brace in re.finditer(r"[(){};:]|[^\s(){};:]+", text):
        token, offset = brace[0], brace.start()
        if "body" in kinds:
            if token == "{":
                kinds.append("list")
            elif token == "}" and kinds.pop() == "body":
                found.append((_name(head), _line(text, start), _line(text, offset)))
                start = None
            continue
        if start is None and token not in ("}", ";"):
            start = offset
        if token in ("(", ")"):
            parens += 1 if token == "(" else -1
        elif token == "{":
            head = text[start:offset].strip()
            kinds.append("list" if parens > 0 or "list" in kinds else _kind(head))
            start = None if kinds[-1] == "scope" else start
        elif token == "}" and kinds and kinds.pop() == "scope":
            start = None
        elif token == ";" and "list" not in kinds:
            start = None
        elif token == ":" and text[start:offset].strip() in ("public", "private", "protected"):
            start = None
    return found


def _kind(head):
    """What a brace opens that follows the declaration `head`."""
    head = re.sub(r"^template\s*<.*?>\s*(?=\w)", "", head, flags=re.S)
    if re.match(r"(?:inline\s+)?namespace\b|extern$|(?:class|struct|union|enum)\b", head):
        return "scope"
    before_parens = head.split("(")[0]
    if "(" not in head or "=" in before_parens and "operator" not in before_parens:
        return "list"  # the value of a variable
    if re.search(r"\)\s*(?:noexcept\s*)?:(?!:)", head) and re.search(r"[\w>]$", head):
        return "list"  # the value of a member, in a constructor
    return "body"


def _name(head):
    """The name of a function, from the text before its body."""
    test = re.match(r"[A-Z_]+\s*\(\s*(\w+)", head)  # BOOST_AUTO_TEST_CASE(name)
    name = test or re.search(r"([\w:~]*operator\s*[^\s\w(]+|[\w:~]+)\s*\(", head)
    return name[1] if name else head


def _line(text, offset):
    return text.count("\n", 0, offset) + 1
