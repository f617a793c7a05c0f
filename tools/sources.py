#!/usr/bin/env python3
"""What the checks share: which files are ours, and how to read C++ without its comments.

`tools/sources.py PATTERN...` prints the files that match, for `xargs -0`.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Comments, and literals. Newlines are kept by `code_of`, so that line numbers stay right.
SKIPPED = re.compile(r"""//[^\n]*|/\*.*?\*/
                         |R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"
                         |"(?:\\.|[^"\\\n])*"
                         |(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'""", re.S | re.X)


def tracked(*patterns):
    """Files under version control, and new ones that are not ignored. A tree that was unpacked
    from an archive has no history: there, all files outside build/ count."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return [pathlib.PurePath(name) for name in sorted(set(names))
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
            and (ROOT / name).is_file()]


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def code_of(text, keep_strings=False):
    """`text` with comments gone and literals emptied; as many lines as before."""
    def replace(match):
        found = match.group(0)
        if found.startswith("/"):
            return " " + "\n" * found.count("\n")
        if keep_strings:
            return found
        return '""' + "\n" * found.count("\n")
    return SKIPPED.sub(replace, text)


def line_at(text, position):
    return text.count("\n", 0, position) + 1


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\0" for path in tracked(*sys.argv[1:])))
