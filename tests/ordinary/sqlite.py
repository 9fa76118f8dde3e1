"""A database in a file, with a journal ahead, and one in memory."""
import sqlite3

for place, mode in [("data.db", "wal"), ("/tmp/other.db", "delete"), (":memory:", "memory")]:
    db = sqlite3.connect(place)
    assert db.execute(f"pragma journal_mode={mode}").fetchone()[0] == mode
    with db:
        db.execute("create table t (id integer primary key, name text)")
        db.executemany("insert into t (name) values (?)", [(str(n),) for n in range(1000)])
    assert db.execute("select count(*), max(id) from t where name like '9%'").fetchone()[0] == 111
    db.close()
print("ok")
