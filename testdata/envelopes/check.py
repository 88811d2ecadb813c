#!/usr/bin/env python3
"""Checks seal.json and keys.json with a second implementation, written from docs/formats/envelope.md and RFC 9180.

Primitives come from Python's `cryptography` (OpenSSL); HPKE is put together here and first checked against RFC 9180's
own test vector. Exit status 0: every case opens along the whole chain. 77: `cryptography` is missing. 1: a mismatch.
"""
import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
except ImportError as missing:
    print(f"not available: {missing}")
    sys.exit(77)

EXCHANGES = {"bybit": 1, "binance": 2, "kraken_futures": 3, "okx": 4, "bitmex": 5}
ENVIRONMENTS = {"live": 1, "testnet": 2, "simulated": 3}
CONTRACTS = {"linear": 1, "inverse": 2}
KEM = b"KEM" + struct.pack(">H", 0x0020)


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hkdf(ikm, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(ikm)


def labeled_extract(suite, salt, label, ikm):
    return hmac.new(salt or b"\0" * 32, b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def labeled_expand(suite, prk, label, info, length):
    full = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, full).derive(prk)


def derive_key_pair(ikm):
    """RFC 9180 section 7.1.3 for DHKEM(X25519, HKDF-SHA256)."""
    prk = labeled_extract(KEM, b"", b"dkp_prk", ikm)
    return X25519PrivateKey.from_private_bytes(labeled_expand(KEM, prk, b"sk", b"", 32))


def hpke_open(private, sealed, info, aad, aead_id=2, key_length=32):
    """RFC 9180 sections 4.1, 5.1, 6.1: base mode, one message, HKDF-SHA256; AEAD 2 is AES-256-GCM."""
    enc, ciphertext = sealed[:32], sealed[32:]
    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    public = private.public_key().public_bytes_raw()
    shared = labeled_expand(KEM, labeled_extract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, aead_id)
    psk_id_hash = labeled_extract(suite, b"", b"psk_id_hash", b"")
    schedule = b"\0" + psk_id_hash + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", schedule, key_length)
    nonce = labeled_expand(suite, secret, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def check_rfc_9180():
    """Appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, sequence number 0."""
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    sealed = bytes.fromhex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    plain = hpke_open(private, sealed, b"Ode on a Grecian Urn", b"Count-0", aead_id=1, key_length=16)
    same("RFC 9180 A.1.1", plain, b"Beauty is truth, truth beauty")


def same(what, left, right):
    if left != right:
        raise AssertionError(what)


def context_of(case):
    return (
        b"\x01\x01"
        + bytes.fromhex(case["install"] + case["workspace"] + case["key"])
        + struct.pack(
            ">IHBB",
            case["version"],
            EXCHANGES[case["exchange"]],
            ENVIRONMENTS[case["environment"]],
            CONTRACTS[case["contract"]],
        )
    )


def check_keeper(case, context, install):
    keeper = case["keeper"]
    house, seed = bytes.fromhex(keeper["house_key_hex"]), bytes.fromhex(keeper["seed_hex"])
    private = derive_key_pair(hkdf(house + seed, install, b"keyhold/keeper-secret/v1"))
    public = private.public_key().public_bytes_raw()
    same("keeper public key", public, unb64(case["keeper_public"]))
    key_id = hashlib.sha256(b"keyhold/keeper-key/v1" + public).digest()[:16]
    sealed = unb64(case["sealed_data_key"])
    same("sealed data key header", sealed[:20], b"KHS1" + key_id)
    data_key = hpke_open(private, sealed[20:], b"keyhold/seal/v1" + install + key_id, context)
    same("data key", data_key, bytes.fromhex(case["entropy_hex"])[:32])

    index, slot = struct.pack(">I", keeper["slot_index"]), bytes.fromhex(keeper["slot_secret_hex"])
    formats = [
        ("wrapped_data_key", b"KHW2", b"keyhold/wrap/v2", bytes.fromhex(keeper["workspace_key_hex"])),
        ("wrapped_data_key_v1", b"KHW1", b"keyhold/wrap/v1", house),
    ]
    for field, magic, label, key in formats:
        wrapped = unb64(keeper[field])
        same("wrapped data key header", wrapped[:8], magic + index)
        wrap_key = hkdf(key + slot, install, label + context + index)
        unwrapped = AESGCM(wrap_key).decrypt(wrapped[8:20], wrapped[20:], magic + context + index)
        same("unwrapped data key", unwrapped, data_key)
    return data_key


def check_bot(case, context, install, data_key):
    bot = case["bot"]
    private = derive_key_pair(bytes.fromhex(bot["key_material_hex"]))
    same("bot public key", private.public_key().public_bytes_raw(), unb64(bot["public"]))
    answer = unb64(bot["answer"])
    info = b"keyhold/lease/v1" + install + bytes.fromhex(bot["bot"] + bot["lease_hex"])
    same("lease answer magic", answer[:4], b"KHL1")
    same("leased data key", hpke_open(private, answer[4:], info, context), data_key)


def check_envelope(case, context, data_key):
    envelope = unb64(case["envelope"])
    same("envelope length", len(envelope) in (634, 2170), True)
    same("envelope header", envelope[:62], b"KHE1" + context)
    commitment = hkdf(data_key, None, b"keyhold/envelope-commitment/v1" + context)
    same("commitment", envelope[62:94], commitment)
    key = hkdf(data_key, None, b"keyhold/envelope-key/v1" + context)
    padded = AESGCM(key).decrypt(envelope[94:106], envelope[106:], context)
    layout, flags, *lengths = struct.unpack(">BBHHH", padded[:8])
    same("layout", layout, 1)
    parts, at = [], 8
    for length in lengths:
        parts.append(padded[at : at + length].decode())
        at += length
    same("padding", padded[at:], b"\0" * (len(padded) - at))
    phrase = parts[2] if flags == 1 else None
    same("credential", (parts[0], parts[1], phrase), (case["api_key"], case["api_secret"], case["passphrase"]))


def check_fingerprint(case):
    codes = struct.pack(">HB", EXCHANGES[case["exchange"]], ENVIRONMENTS[case["environment"]])
    message = b"keyhold/api-key/v1" + codes + case["api_key"].encode()
    key = bytes.fromhex(case["fingerprint_key_hex"])
    same("fingerprint", hmac.new(key, message, hashlib.sha256).digest(), unb64(case["fingerprint"]))


def unwrap_key(above, install, label, aad, wrapped):
    return AESGCM(hkdf(above, install, label)).decrypt(wrapped[:12], wrapped[12:], aad)


def check_hierarchy(file):
    install, workspace = bytes.fromhex(file["install"]), bytes.fromhex(file["workspace"])
    root, house = bytes.fromhex(file["root_key_hex"]), bytes.fromhex(file["house_key_hex"])
    secret, parameters = bytes.fromhex(file["provider_secret_hex"]), bytes.fromhex(file["parameters_hex"])
    for kind, extra, field in [(1, b"", "root_key_by_file_hex"), (2, parameters, "root_key_by_passphrase_hex")]:
        label, aad = b"keyhold/provider/v1" + bytes([kind]), b"KHP1" + install + bytes([kind]) + extra
        same(field, unwrap_key(secret, install, label, aad, bytes.fromhex(file[field])), root)
    for case in file["epochs"]:
        number = struct.pack(">I", case["epoch"])
        wrapped = bytes.fromhex(case["wrapped_epoch_key_hex"])
        key = unwrap_key(root, install, b"keyhold/epoch-wrap/v1" + number, b"KHK1" + install + number, wrapped)
        same("epoch key", key, bytes.fromhex(case["epoch_key_hex"]))
        label, aad = b"keyhold/member-wrap/v1" + number, b"KHT1" + install + number
        wrapped = bytes.fromhex(case["wrapped_workspace_key_hex"])
        opened = unwrap_key(key, install, label, aad + b"\2" + workspace, wrapped)
        same("workspace key", opened, bytes.fromhex(file["workspace_key_hex"]))
        wrapped = bytes.fromhex(case["wrapped_house_key_hex"])
        same("house key", unwrap_key(key, install, label, aad + b"\1" + b"\0" * 16, wrapped), house)
    same("audit seed", hkdf(house, install, b"keyhold/audit-sign/v1"), bytes.fromhex(file["audit_seed_hex"]))
    tag = hmac.new(hkdf(root, install, b"keyhold/keys/v1"), b"content", hashlib.sha256).digest()
    same("key file tag", tag, bytes.fromhex(file["keys_file_mac_hex"]))


def main():
    check_rfc_9180()
    check_hierarchy(json.loads((pathlib.Path(__file__).parent / "keys.json").read_text()))
    cases = json.loads((pathlib.Path(__file__).parent / "seal.json").read_text())["cases"]
    for case in cases:
        context, install = context_of(case), bytes.fromhex(case["install"])
        same("context", context, unb64(case["context"]))
        data_key = check_keeper(case, context, install)
        check_bot(case, context, install, data_key)
        check_envelope(case, context, data_key)
        check_fingerprint(case)
    print(f"{len(cases)} cases open with cryptography")


main()
