from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from backend.access.secrets import KEY_FILE, Signer, load_key, new_token, token_hash

signer = Signer(b"k" * 32)


def test_tokens_differ_and_their_hash_does_not_hold_them() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert len(first) >= 43
    assert first not in token_hash(first)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(load_key(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@given(st.text(), st.text(), st.text())
def test_a_signature_holds_only_for_its_text_purpose_and_key(purpose: str, text: str, other: str) -> None:
    signature = signer.signature(purpose, text)
    assert signer.holds(purpose, text, signature)
    assert signer.holds(purpose, other, signature) == (other == text)
    assert not Signer(b"x" * 32).holds(purpose, text, signature)
    assert not signer.holds(purpose, text, other)


def test_what_is_sealed_comes_out_until_it_is_too_old_or_changed() -> None:
    sealed = signer.seal("oidc", {"next": "/ä"}, seconds=60)
    assert signer.unseal("oidc", sealed) == {"next": "/ä"}
    assert signer.unseal("form", sealed) is None
    assert signer.unseal("oidc", "x" + sealed) is None
    assert signer.unseal("oidc", "") is None
    assert signer.unseal("oidc", signer.seal("oidc", 1, seconds=-1)) is None
