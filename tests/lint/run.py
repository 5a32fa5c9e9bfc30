#!/usr/bin/python3
"""run.py RULE ROOT BUILD: proves that a lint rule can fail, then applies it to the tree.

A rule is a module or class with NAME, check(tree) -> findings, and PLANTS: lists of (path, text) files. Each plant,
laid alone into an empty tree, must give a finding, and the files of CLEAN must give none: a rule that
catches nothing is worse than no rule.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import archives
import benchmarks
import engines
import includes
import layout
import manpages
import package
import scripts
import sizes
import units
import words
from tree import Tree

RULES = {rule.NAME: rule for module in (
    archives, benchmarks, engines, includes, layout, manpages, package, scripts, sizes, units,
    words) for rule in module.RULES}


def lay(files, rule):
    root = Path(tempfile.mkdtemp(prefix="execward-lint-"))
    for name, text in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    prepare = getattr(rule, "prepare", None)
    tree = Tree(root)
    if prepare:
        prepare(tree)
    return tree


def findings_in(files, rule):
    tree = lay(files, rule)
    try:
        return rule.check(tree)
    finally:
        shutil.rmtree(tree.root)


def self_check(rule):
    faults = []
    for plant in rule.PLANTS:
        if not findings_in(plant, rule):
            faults.append(f"self-check: the rule passed over the violation planted in {plant[0][0]}")
    clean = findings_in(rule.CLEAN, rule)
    return faults + [f"self-check: false alarm on clean files: {finding}" for finding in clean]


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in RULES:
        print(f"usage: run.py {'|'.join(sorted(RULES))} ROOT BUILD", file=sys.stderr)
        return 64
    rule = RULES[sys.argv[1]]
    findings = self_check(rule) + rule.check(Tree(sys.argv[2], sys.argv[3]))
    for finding in findings:
        print(finding)
    print(f"{rule.NAME}: {len(findings)} findings, {len(rule.PLANTS)} planted violations tried")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
