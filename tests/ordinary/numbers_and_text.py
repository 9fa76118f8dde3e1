"""Arithmetic without bounds, decimals, regular expressions, JSON, CSV and pickles."""
import csv, decimal, io, json, pickle, re, statistics

assert 2**4096 % 97 == pow(2, 4096, 97) and str(decimal.Decimal(1) / 7)[:6] == "0.1428"
assert re.sub(r"(\w+) (\w+)", r"\2 \1", "one two") == "two one"
data = {"a": [1, 2.5, None, True], "ü": "é"}
assert json.loads(json.dumps(data)) == data == pickle.loads(pickle.dumps(data))
out = io.StringIO()
csv.writer(out).writerow(["a,b", 'c"d'])
assert next(csv.reader([out.getvalue()])) == ["a,b", 'c"d'] and statistics.median([1, 2, 9]) == 2
print("ok")
