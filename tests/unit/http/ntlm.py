"""The server's half of NTLM ([MS-NLMP]): a challenge, and whether an answer proves the
password by NTLMv2. One user: alice of TEST, or of no domain."""

import base64
import hmac
import os
import struct

PASSWORD = "pass/w\u00f6rd"
FLAGS = 0x1 | 0x4 | 0x200 | 0x8000 | 0x10000 | 0x80000 | 0x800000  # as of any Windows since 2000


def md4(data):
    """RFC 1320; the system's OpenSSL may have none."""
    mask = 0xFFFFFFFF
    data += b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    rounds = (
        (lambda b, c, d: (b & c) | (~b & d), 0, range(16), (3, 7, 11, 19)),
        (lambda b, c, d: (b & c) | (b & d) | (c & d), 0x5A827999, [i // 4 + i % 4 * 4 for i in range(16)],
         (3, 5, 9, 13)),
        (lambda b, c, d: b ^ c ^ d, 0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
         (3, 9, 11, 15)),
    )
    for at in range(0, len(data), 64):
        words = struct.unpack("<16I", data[at:at + 64])
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for i, k in enumerate(order):
                a = (a + mix(b, c, d) + words[k] + constant) & mask
                s = shifts[i % 4]
                a, b, c, d = d, ((a << s) | (a >> (32 - s))) & mask, b, c
        state = [(x + y) & mask for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def field(message, at):
    length, _, offset = struct.unpack_from("<HHI", message, at)
    return message[offset:offset + length]


def message_of(header):
    """The type of the message in an Authorization header, and its bytes; (0, b"") if it has none."""
    scheme, _, text = (header or "").partition(" ")
    if scheme != "NTLM":
        return 0, b""
    message = base64.b64decode(text)
    if message[:8] != b"NTLMSSP\0":
        return 0, b""
    return struct.unpack_from("<I", message, 8)[0], message


def challenge():
    """Eight random bytes, and the header that carries them to the client."""
    nonce = os.urandom(8)
    name = "TEST".encode("utf-16-le")
    info = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in (
        (2, name), (1, "SERVER".encode("utf-16-le")), (7, struct.pack("<Q", 133485408000000000)), (0, b"")))
    text = b"NTLMSSP\0" + struct.pack("<IHHII", 2, len(name), len(name), 48, FLAGS) + nonce + b"\0" * 8
    text += struct.pack("<HHI", len(info), len(info), 48 + len(name)) + name + info
    return nonce, "NTLM " + base64.b64encode(text).decode()


def proven_by(message, nonce):
    """Who that is, "DOMAIN|name"; None unless the answer to the nonce is right."""
    response, domain, user = (field(message, at) for at in (20, 28, 36))
    if len(response) < 44 or user.decode("utf-16-le") != "alice":
        return None
    key = md4(PASSWORD.encode("utf-16-le"))
    key = hmac.digest(key, "ALICE".encode("utf-16-le") + domain, "md5")
    if not hmac.compare_digest(response[:16], hmac.digest(key, nonce + response[16:], "md5")):
        return None
    return domain.decode("utf-16-le") + "|alice"
