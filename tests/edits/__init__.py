"""Single edits that the tests are to catch: for each file, what to replace, by what, and which tests fail for it."""
