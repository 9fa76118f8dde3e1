"""Locale, encodings and Unicode names."""
import locale, sys, unicodedata

assert sys.getfilesystemencoding() == "utf-8" and sys.stdout.encoding == "utf-8"
locale.setlocale(locale.LC_ALL, "")
assert locale.getlocale()[1] == "UTF-8" and locale.localeconv()["decimal_point"] == "."
open("naïve-\N{SNOWMAN}", "w").write("\N{GREEK SMALL LETTER ALPHA}")
assert unicodedata.normalize("NFD", "é") == "e\u0301" and "ß".upper() == "SS"
assert "text".encode("cp1252").decode("latin-1") == "text"
print("ok")
