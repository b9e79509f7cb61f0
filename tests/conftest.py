"""Loads the plugins that tests of every part share; they are described where they are."""

pytest_plugins = ["pytester", "tests.support.plugin", "tests.support.fixtures", "tests.support.emulators"]
