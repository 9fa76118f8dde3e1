"""What is generated is what the schemas, the names and the scripts are now."""

import filecmp
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[1]


def test_what_is_checked_in_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, CLIENT / "generate", tmp_path], check=True)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    there = CLIENT / "src/glovebox"
    checked_in = [*there.glob("_schema/*.py"), *there.glob("_queue/*.lua")]
    assert sorted(path.relative_to(there) for path in checked_in) == written
    _, differ, missing = filecmp.cmpfiles(tmp_path, there, map(str, written), shallow=False)
    assert not differ + missing, "run ops/clients/python/generate, and read its difference as a change of the contract"
