"""What the README and the example show is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Fleet

CLIENT = Path(__file__).resolve().parents[1]
README = (CLIENT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.S)


def run(fleet: Fleet, *arguments: str) -> str:
    environment = os.environ | {"GLOVEBOX_AMQP_URL": fleet.amqp_url, "GLOVEBOX_REDIS_URL": fleet.redis_url}
    environment.pop("GLOVEBOX_URL", None)
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("snippet", "printed"),
    [
        *zip(
            SNIPPETS,
            [
                "succeeded ['succeeded', 'succeeded']\nfailed ['succeeded', 'failed']\n",
                "cancelled\n",
                "1\n 2\n\n" + "".join(f"{n}\n" for n in range(10)),
                "".join(f"{text}\n" for text in re.findall(r"print\(error(?:\.hint)?\) +# (.*)", README)),
            ],
            strict=True,
        )
    ],
)
def test_snippets_of_the_readme(fleet: Fleet, snippet: str, printed: str) -> None:
    assert run(fleet, "-c", snippet) == printed


def test_the_example_prints_what_the_readme_shows(fleet: Fleet) -> None:
    _, shown = re.findall(r"```console\n\$ (python .*?)\n(.*?)```", README, re.S)[0]
    example = CLIENT / "examples"
    assert run(fleet, str(example / "evaluate.py"), str(example / "problems"), "1", "2") == shown
