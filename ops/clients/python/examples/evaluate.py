"""Evaluates a directory of programs with tests, and prints pass@k.

evaluate.py DIRECTORY [K...]

DIRECTORY/PROBLEM/tests/NAME.in, NAME.out      what a program reads, and what it has to write
DIRECTORY/PROBLEM/candidates/NAME.py, .js, ...  programs that are to solve it
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from math import comb
from pathlib import Path

from glovebox import Glovebox, Job, Limits, Test

LANGUAGES = {".py": "python", ".js": "nodejs", ".c": "c", ".cpp": "c++", ".rs": "rust", ".go": "go", ".java": "java"}


def jobs(directory: Path) -> Iterator[Job]:
    """One for each candidate."""
    for problem in sorted(path for path in directory.iterdir() if path.is_dir()):
        tests = [
            Test(name=given.stem, stdin=given.read_text(), expected_stdout=given.with_suffix(".out").read_text())
            for given in sorted(problem.glob("tests/*.in"))
        ]
        for candidate in sorted(problem.glob("candidates/*")):
            metadata = {"problem": problem.name, "candidate": candidate.name}
            language, code = LANGUAGES[candidate.suffix], candidate.read_text()
            yield Job(language=language, code=code, tests=tests, limits=Limits(wall_ms=2000), metadata=metadata)


def pass_at(k: int, n: int, correct: int) -> float:
    """How likely one of `k` candidates is correct, without bias (Chen et al. 2021, https://arxiv.org/abs/2107.03374)."""
    return 1 - comb(n - correct, k) / comb(n, k)


def main(directory: str, *ks: str) -> None:
    """Runs all, and prints a line for each problem."""
    outcomes: dict[str, list[bool]] = defaultdict(list)
    with Glovebox.from_env() as box:
        for result in box.map(jobs(Path(directory)), progress=True):
            outcomes[result.metadata["problem"]].append(result.passed)
    for problem, passed in outcomes.items():
        print(f"{problem:20} {sum(passed)} of {len(passed)}")
    for k in map(int, ks or ["1"]):
        rates = [pass_at(k, len(passed), sum(passed)) for passed in outcomes.values() if len(passed) >= k]
        print(f"pass@{k} {sum(rates) / len(rates):.1%}" if rates else f"pass@{k}: no problem has {k} candidates")


if __name__ == "__main__":
    main(*sys.argv[1:])
