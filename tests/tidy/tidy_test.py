"""Bad samples that tidy.py must find, and good ones that it must leave alone."""

import tempfile
import unittest
from pathlib import Path

import tidy

HEADER = "#pragma once\n"


def check(path, text, others=()):
    """The findings for one file in a tree of its own, beside empty files named `others`."""
    with tempfile.TemporaryDirectory() as root:
        for name, content in [(other, HEADER) for other in others] + [(path, text)]:
            file = Path(root) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        return tidy.check_tree(root)


class Tidy(unittest.TestCase):
    def assert_found(self, word, path, text, others=()):
        findings = check(path, text, others)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(word, findings[0])

    def assert_clean(self, path, text, others=()):
        self.assertEqual(check(path, text, others), [])

    def test_layers(self):
        for path, include in [
                ("core/base/a.cpp", "crdt/dot.hpp"), ("crdt/a.cpp", "storage/log.hpp"),
                ("storage/a.cpp", "crdt/dot.hpp"), ("storage/a.cpp", "core/database.hpp"),
                ("crdt/a.cpp", "core/database.hpp"), ("core/engine/a.cpp", "net/loop.hpp"),
                ("net/a.cpp", "tools/serve.hpp"), ("bindings/c/a.cpp", "storage/log.hpp")]:
            with self.subTest(path=path, include=include):
                self.assert_found("must not include", path, f'#include "{include}"\n', [include])

    def test_layers_allow_what_is_below(self):
        for path, include in [
                ("crdt/a.cpp", "core/base/bytes.hpp"), ("core/engine/a.cpp", "storage/log.hpp"),
                ("net/commands/a.cpp", "net/resp.hpp"), ("tools/a.cpp", "net/loop.hpp"),
                ("tests/net/a.cpp", "net/loop.hpp"), ("core/database.cpp", "core/base/env.hpp")]:
            with self.subTest(path=path, include=include):
                self.assert_clean(path, f'#include "{include}"\n', [include])

    def test_relative_includes_of_public_headers(self):
        public = HEADER + '#include "../crdt/dot.hpp"\n'
        self.assert_clean("core/database.hpp", public, ["crdt/dot.hpp"])
        self.assert_found("must not", "storage/a.hpp", public, ["crdt/dot.hpp"])

    def test_unknown_include(self):
        self.assert_found("no file", "net/a.cpp", '#include "net/nowhere.hpp"\n')
        self.assert_clean("tools/version.cpp", '#include "syncline_version.hpp"\n')
        self.assert_found("must not", "net/a.cpp", '#include "syncline_version.hpp"\n')

    def test_the_own_header_is_first(self):
        own, other = '#include "crdt/a.hpp"\n', '#include "crdt/b.hpp"\n'
        files = ["crdt/a.hpp", "crdt/b.hpp"]
        self.assert_clean("crdt/a.cpp", own + other, files)
        self.assert_found("not first", "crdt/a.cpp", other + own, files)
        self.assert_found("not first", "crdt/a.cpp", "int a;\n", files)
        self.assert_clean("crdt/c.cpp", other, files)

    def test_owners(self):
        for path, owner, include in [
                ("net/frame.cpp", "net/uv_handle.hpp", "uv.h"),
                ("storage/log.cpp", "storage/lmdb.cpp", "lmdb.h"),
                ("core/base/hash.cpp", "core/base/pack.cpp", "msgpack.hpp"),
                ("core/base/pack.cpp", "core/base/hash.cpp", "xxhash.h"),
                ("net/tcp.cpp", "net/peer_auth.cpp", "openssl/ssl.h"),
                ("core/engine/turn.cpp", "core/base/log.cpp", "spdlog/spdlog.h"),
                ("net/node.cpp", "core/protocol/compression.cpp", "zstd.h"),
                ("net/node.cpp", "tools/serve.cpp", "CLI/CLI.hpp"),
                ("net/http.cpp", "tools/config.cpp", "toml++/toml.h")]:
            with self.subTest(include=include):
                text = f"#include <{include}>\n"
                self.assert_found("belongs to", path, text)
                self.assert_clean(owner, (HEADER if owner.endswith(".hpp") else "") + text)
                self.assert_clean("tests/net/a.cpp", text)

    def test_banned_in_cpp(self):
        for word, text in [
                ("banned", "int a = std::rand();"), ("banned", "usleep(5);"),
                ("banned", "std::this_thread::sleep_for(x);"), ("banned", 'std::system("ls");'),
                ("naked new", "int* a = new int;"), ("naked delete", "delete a;"),
                ("naked delete", "delete[] a;")]:
            with self.subTest(text=text):
                self.assert_found(word, "crdt/a.cpp", f"{text}\n")

    def test_not_banned_in_cpp(self):
        for text in [
                "A(const A&) = delete;", "// a new thing, delete it", 'f("new", "delete x;");',
                "file_system(a);", "auto a = std::unique_ptr<A>(\n    new A(1));", "renew(a);",
                "auto text = R\"x(new \" delete)x\";", "std::unique_ptr<A> a(new A);",
                "n = 1'000; f('\"'); n = 1'000;"]:
            with self.subTest(text=text):
                self.assert_clean("crdt/a.cpp", f"{text}\n")

    def test_headers(self):
        self.assert_found("pragma once", "crdt/a.hpp", "int a;\n")
        self.assert_found("using namespace", "crdt/a.hpp", HEADER + "using namespace std;\n")
        self.assert_clean("crdt/a.cpp", "using namespace std;\n")

    def test_text(self):
        self.assert_found("101 columns", "crdt/a.cpp", "//" + "x" * 99 + "\n")
        self.assert_clean("crdt/a.cpp", "//" + "ü" * 98 + "\n")
        self.assert_clean("README.md", "x" * 300 + "\n")
        self.assert_found("tab", "README.md", "a\tb\n")
        self.assert_found("white space", "README.md", "a \n")
        self.assert_found("no newline", "README.md", "a")
        for word in tidy.BANNED_WORDS:
            self.assert_found(word, "README.md", f"see {word}\n")

    def test_sizes(self):
        self.assert_clean("crdt/a.cpp", "\n" * 800)
        self.assert_found("801 lines", "crdt/a.cpp", "\n" * 801)
        big = "\n" * (tidy.FILE_BYTES_MAX + 1)
        self.assert_found("bytes", "big.md", big)
        self.assert_clean("tests/data/big.json", big)

    def test_function_lengths(self):
        for around, head in [
                ("", "int f() {"), ("", "void A::f(int a) const noexcept {"),
                ("", "template <typename T>\nT f() {"), ("", "BOOST_AUTO_TEST_CASE(f) {"),
                ("", "A::A(int a)\n    : a_(a) {"), ("enum class A { a, b };\n", "int f() {"),
                ("class A {\npublic:\n", "A() : a_{1}, b_{2} {"),
                ("namespace a {\n", "bool operator==(A a, B b) {"),
                ("struct A : B<int(int)> {\nint a{0};\n", "auto f() -> C<int> {")]:
            with self.subTest(head=head):
                closing = "}\n" * (1 + around.count("{\n"))
                body = "\nif (a) {\n}\n" + "\n" * (70 - 4 - head.count("\n"))
                self.assert_clean("crdt/a.cpp", around + head + body + closing)
                self.assert_found("71 lines", "crdt/a.cpp", around + head + body + "\n" + closing)
        self.assert_clean("crdt/a.cpp", "const A a = {\n" + "{f(1)},\n" * 90 + "};\n")
        self.assert_clean("crdt/a.cpp", "int f() {\n}\n" + "int g() { return 1; }\n" * 90)
        self.assert_found("f has 72", "a.py", "def f():\n" + "    print()\n" * 71)

    def test_ratchet(self):
        tidy.LONG_FUNCTIONS["crdt/a.cpp:f"] = 80
        self.addCleanup(tidy.LONG_FUNCTIONS.clear)
        self.assert_clean("crdt/a.cpp", "int f() {\n" + "\n" * 78 + "}\n")
        self.assert_found("81 lines, 80", "crdt/a.cpp", "int f() {\n" + "\n" * 79 + "}\n")
        self.assert_found("got shorter", "crdt/a.cpp", "int f() {\n" + "\n" * 70 + "}\n")


if __name__ == "__main__":
    unittest.main()
