"""Runs every test, then asks whether every implemented operation was answered and judged."""

import os
import pathlib
import sys
import unittest

import checker


def main():
    folder = str(pathlib.Path(__file__).parent)
    sys.path.insert(0, folder)
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.discover(folder))
    implemented = set(os.environ["GREENLIGHT_WIRE_OPERATIONS"].split())
    never = implemented - checker.judged
    if never:
        print("implemented, but never answered in a test:", ", ".join(sorted(never)))
    return 0 if result.wasSuccessful() and result.testsRun and not never else 1


sys.exit(main())
