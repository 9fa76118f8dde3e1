"""TLS contexts and a handshake in memory."""
import ssl

context = ssl.create_default_context()
assert context.verify_mode == ssl.CERT_REQUIRED and context.get_ciphers()
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    hello = outgoing.read()
assert hello[0] == 22 and b"example.org" in hello
print("ok")
