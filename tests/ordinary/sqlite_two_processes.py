"""Two processes that write to one database and wait for each other's locks."""
import multiprocessing as mp, sqlite3


def write(_):
    db = sqlite3.connect("shared.db", timeout=9)
    for _ in range(20):
        with db:
            db.execute("update t set n = n + 1")


if __name__ == "__main__":
    with sqlite3.connect("shared.db") as db:
        db.execute("create table t (n)")
        db.execute("insert into t values (0)")
    with mp.Pool(2) as pool:
        pool.map(write, range(2))
    assert db.execute("select n from t").fetchone() == (40,)
    print("ok")
