"""Prints one line, "passed NAME" or "failed NAME", for each test of a JUnit file of ctest.

A test that did not run, for whatever reason, has failed. Without a readable file, or without a
test in it, the exit code is 1.
"""

import sys
import xml.etree.ElementTree

try:
    cases = xml.etree.ElementTree.parse(sys.argv[1]).findall(".//testcase")
except (OSError, xml.etree.ElementTree.ParseError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")
if not cases:
    sys.exit(f"{sys.argv[1]}: no tests")
for case in cases:
    print("passed" if case.get("status") == "run" else "failed", case.get("name"))
