"""Hashes, key derivation and randomness."""
import hashlib, hmac, os, random, secrets, uuid

assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
assert hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1, dklen=16).hex() == hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1, dklen=16).hex()
assert len(hashlib.pbkdf2_hmac("sha512", b"p", b"s", 1000)) == 64 and hmac.new(b"k", b"m", "sha1").hexdigest()
assert secrets.token_hex(16) != secrets.token_hex(16) and os.urandom(8) != os.urandom(8)
assert uuid.uuid4() != uuid.uuid4()
assert random.Random(1).random() == random.Random(1).random()
print("ok")
