"""Which tokens are believed, and what they let their bearer do."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.errors import BadMessage, CloseCode, ErrorCode
from presence_server.protocol.palette import palette_color
from presence_server.protocol.profile import ProfileChange, UserProfile, clean_user_id
from presence_server.refusals import RefusalCounter, RefusalReason
from presence_server.settings.token_keys import read_key
from presence_server.transport.http.head import RequestHead
from presence_server.transport.sessions.handshake import Handshake, read_query
from presence_server.transport.sessions.identity import AccessDenied, Renewal
from presence_server.transport.sessions.tokens import (
    InvalidToken,
    TokenAuthority,
    TokenVerifier,
    bearer_token,
)
from tests.keys import SECRET, claims, private_key, public_pem, token

OTHER_SECRET = "another secret that is long enough for it"


def verifier(*keys: str, audience: str | None = None, issuer: str | None = None) -> TokenVerifier:
    chosen = [read_key(key).restricted_to(()) for key in keys or (SECRET,)]
    return TokenVerifier(chosen, {}, audience, issuer)


def by_kid(**keys: str) -> TokenVerifier:
    return TokenVerifier((), {kid: read_key(key).restricted_to(()) for kid, key in keys.items()})


def forged(header: dict[str, object], payload: object, signature: bytes = b"") -> str:
    """A token put together by hand, as a library would not."""
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def handshake(target: str = "/ws/boards/demo", board_id: str = "demo", **headers: str) -> Handshake:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Handshake(board_id, RequestHead("GET", target, lines), read_query(target))


class TestVerifying:
    def test_gives_the_profile_the_expiry_and_the_boards(self) -> None:
        found = verifier().verify(
            token(name="Ada L", picture="https://x/a.png", color="#a1b2c3", exp=4_000_000_000)
        )
        assert found.profile == UserProfile("ada", "Ada L", "https://x/a.png", "#a1b2c3")
        assert found.expires_at_ms == 4_000_000_000_000

    def test_cleans_the_profile_and_never_refuses_it(self) -> None:
        found = verifier().verify(token(name=7, picture="javascript:x", color=["red"]))
        assert found.profile == UserProfile("ada", "ada", None, palette_color("ada"))

    @pytest.mark.parametrize("kind", ["RS256", "ES256", "ES384", "EdDSA"])
    def test_takes_every_kind_of_public_key(self, kind: str) -> None:
        signed = jwt.encode(claims(), private_key(kind), kind)
        assert verifier(public_pem(kind)).verify(signed).profile.user_id == "ada"

    def test_tries_every_key_that_may_have_signed(self) -> None:
        both = verifier(OTHER_SECRET, public_pem("RS256"), SECRET)
        assert both.verify(token()).profile.user_id == "ada"

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"exp": int(time.time()) - 1}, "expired"),
            ({"exp": None}, "no exp claim"),
            ({"exp": "soon"}, "token"),
            ({"sub": None}, "no sub claim"),
            ({"sub": ""}, "not the name of a user"),
            ({"sub": "a\0da"}, "not the name of a user"),
            ({"nbf": int(time.time()) + 3600}, "not valid yet"),
            ({"boards": "*"}, "wrong type"),
            ({"boards": [1]}, "wrong type"),
        ],
    )
    def test_refuses_claims_that_do_not_hold(self, more: dict[str, object], reason: str) -> None:
        with pytest.raises(InvalidToken, match=reason):
            verifier().verify(jwt.encode(claims(**more), SECRET))

    def test_takes_any_expiry_as_far_as_json_counts(self) -> None:
        assert verifier().verify(token(exp=1e300)).expires_at_ms == 2**53 - 1

    def test_of_a_sub_that_is_no_text_is_refused(self) -> None:
        header, _, signature = token().split(".")
        body = base64.urlsafe_b64encode(json.dumps(claims() | {"sub": 7}).encode()).decode()
        with pytest.raises(InvalidToken):
            verifier().verify(f"{header}.{body.rstrip('=')}.{signature}")

    @pytest.mark.parametrize(
        "sub",
        [
            *("\ud800ada", "a\ud800da", "ada\ud800", "\udfffada", "a\udfffda", "ada\udfff"),
            *("\udbffada", "a\udc00da", "ada\ud83d", "\ud83da\ude00da", "\ude00\ud83dada"),
            *("ada\ud83d\ud83d\ude00", "ada\ud83d\ude00\ude00", "\ud800", "\ud800\0ada"),
        ],
        ids=ascii,
    )
    def test_takes_nobody_for_another_whose_name_is_the_same_but_for_half_a_character(
        self, sub: str
    ) -> None:
        body = json.dumps(claims(sub)).encode()
        assert b"\\ud" in body
        signed = jwt.api_jws.encode(body, SECRET, "HS256")
        with pytest.raises(InvalidToken, match="the sub claim is not the name of a user"):
            verifier().verify(signed)

    def test_takes_a_character_that_json_writes_as_two_halves(self) -> None:
        body = json.dumps(claims("ada\U0001f600")).encode()
        assert b"ada\\ud83d\\ude00" in body
        signed = jwt.api_jws.encode(body, SECRET, "HS256")
        assert verifier().verify(signed).profile.user_id == "ada\U0001f600"

    def test_has_no_leeway(self) -> None:
        with pytest.raises(InvalidToken, match="expired"):
            verifier().verify(token(exp=int(time.time())))

    def test_checks_audience_and_issuer_when_they_are_set(self) -> None:
        strict = verifier(audience="boards", issuer="https://login")
        strict.verify(token(aud=["x", "boards"], iss="https://login"))
        for wrong in (
            {},
            {"aud": "boards"},
            {"iss": "https://login"},
            {"aud": "other", "iss": "https://login"},
            {"aud": "boards", "iss": "https://evil"},
        ):
            with pytest.raises(InvalidToken):
                strict.verify(token(**wrong))
        verifier().verify(token(aud="whatever", iss="whoever"))


class TestTricks:
    def test_no_algorithm_is_no_signature(self) -> None:
        for algorithm in ("none", "None", "NONE", ""):
            with pytest.raises(InvalidToken):
                verifier().verify(forged({"alg": algorithm, "typ": "JWT"}, claims()))

    def test_a_public_key_is_no_hmac_secret(self) -> None:
        pem = public_pem("RS256")
        unsigned = forged({"alg": "HS256", "typ": "JWT"}, claims()).rsplit(".", 1)[0]
        mac = hmac.digest(pem.encode(), unsigned.encode(), hashlib.sha256)
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        with pytest.raises(InvalidToken):
            verifier(pem).verify(f"{unsigned}.{signature}")

    def test_an_algorithm_that_was_not_allowed_is_refused(self) -> None:
        for algorithm in ("HS384", "HS512"):
            with pytest.raises(InvalidToken):
                verifier().verify(jwt.encode(claims(), SECRET * 2, algorithm))
        with pytest.raises(InvalidToken):
            verifier(public_pem("RS256")).verify(
                jwt.encode(claims(), private_key("RS256"), "PS256")
            )

    def test_an_unknown_extension_is_refused_though_the_signature_is_good(self) -> None:
        signed = jwt.encode(claims(), SECRET, headers={"crit": ["x-bank"], "x-bank": 1})
        with pytest.raises(InvalidToken):
            verifier().verify(signed)

    @pytest.mark.parametrize("kid", ["old", "../../dev/null", "' OR 1=1", "", None])
    def test_a_kid_chooses_among_the_keys_and_nothing_else(self, kid: str | None) -> None:
        headers = None if kid is None else {"kid": kid}
        signed = jwt.encode(claims(), OTHER_SECRET, headers=headers)
        with pytest.raises(InvalidToken):
            by_kid(old=SECRET).verify(signed)

    def test_a_kid_must_be_text(self) -> None:
        for kid in (7, ["old"], {"a": 1}, True):
            with pytest.raises(InvalidToken):
                by_kid(old=SECRET).verify(forged({"alg": "HS256", "kid": kid}, claims()))

    def test_the_key_of_another_kid_does_not_do(self) -> None:
        signed = jwt.encode(claims(), SECRET, headers={"kid": "new"})
        by_kid(old=OTHER_SECRET, new=SECRET).verify(signed)
        with pytest.raises(InvalidToken):
            by_kid(old=SECRET, new=OTHER_SECRET).verify(signed)

    def test_without_a_kid_every_key_is_tried(self) -> None:
        by_kid(old=OTHER_SECRET, new=SECRET).verify(token())

    def test_a_kid_is_passed_over_where_keys_have_none(self) -> None:
        verifier().verify(jwt.encode(claims(), SECRET, headers={"kid": "x"}))

    @pytest.mark.parametrize(
        "text",
        ["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é", "x" * 20_000, "\0", "e30.e30.e30"],
    )
    def test_what_is_no_token_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidToken):
            verifier().verify(text)

    @given(st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.none()), st.binary())
    def test_nothing_unsigned_passes_or_raises_anything_else(
        self, header: dict[str, object], signature: bytes
    ) -> None:
        for algorithm in ("HS256", None):
            head = header if algorithm is None else header | {"alg": algorithm}
            with pytest.raises(InvalidToken):
                verifier().verify(forged(head, claims(), signature))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["sub", "exp", "boards", "nbf", "iat"]), inner)
            ),
            max_leaves=8,
        )
    )
    def test_any_signed_payload_is_believed_or_refused(self, payload: object) -> None:
        body = json.dumps(payload).encode()
        signed = jwt.api_jws.encode(body, SECRET, "HS256")
        with contextlib.suppress(InvalidToken):
            verifier().verify(signed)


class TestBoards:
    @pytest.mark.parametrize(
        ("patterns", "covered", "not_covered"),
        [
            (["demo"], ["demo"], ["demo2", "Demo", "dem"]),
            (["team-*"], ["team-", "team-1"], ["team", "my-team-1"]),
            (["*"], ["demo", "a:b~c.d_e-f"], []),
            (["a?c", "b"], ["abc", "b"], ["ac", "abbc"]),
            ([], [], ["demo"]),
        ],
    )
    def test_are_ids_and_patterns(
        self, patterns: list[str], covered: list[str], not_covered: list[str]
    ) -> None:
        found = verifier().verify(token(boards=patterns))
        assert all(map(found.covers, covered))
        assert not any(map(found.covers, not_covered))

    def test_must_be_named(self) -> None:
        assert not verifier().verify(token(boards=None)).covers("demo")


class TestBearer:
    def test_is_taken_from_the_subprotocol_first_then_the_header_then_the_query(self) -> None:
        target = f"/ws/boards/demo?{urlencode({'token': 'c'})}"
        protocols = {"sec_websocket_protocol": "presence.v1, bearer.a"}
        header = {"authorization": "Bearer b"}
        assert bearer_token(handshake(target, **protocols, **header)) == "a"
        assert bearer_token(handshake(target, **header)) == "b"
        assert bearer_token(handshake(target)) == "c"
        assert bearer_token(handshake()) is None

    @pytest.mark.parametrize("value", ["Basic b", "Bearer", "Bearer ", ""])
    def test_of_another_scheme_is_passed_over(self, value: str) -> None:
        assert bearer_token(handshake(authorization=value)) is None


class TestAuthority:
    authority = TokenAuthority(verifier(), RefusalCounter())

    def test_grants_what_the_token_says(self) -> None:
        grant = self.authority.admit(handshake(authorization=f"Bearer {token(exp=4_000_000_000)}"))
        assert grant.profile.user_id == "ada"
        assert grant.expires_at_ms == 4_000_000_000_000

    def test_does_not_listen_to_the_query(self) -> None:
        target = "/ws/boards/demo?user_id=eve&display_name=Eve&color=%23000000"
        grant = self.authority.admit(handshake(target, authorization=f"Bearer {token()}"))
        assert grant.profile == UserProfile("ada", "ada", None, palette_color("ada"))

    @pytest.mark.parametrize(
        ("headers", "code", "close_code"),
        [
            ({}, ErrorCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED),
            ({"authorization": "Bearer x"}, ErrorCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED),
            (
                {"authorization": f"Bearer {token(boards=['other'])}"},
                ErrorCode.FORBIDDEN,
                CloseCode.FORBIDDEN,
            ),
        ],
    )
    def test_denies_everybody_else(
        self, headers: dict[str, str], code: ErrorCode, close_code: CloseCode
    ) -> None:
        with pytest.raises(AccessDenied) as denied:
            self.authority.admit(handshake(**headers))
        assert (denied.value.code, denied.value.close_code) == (code, close_code)

    def test_renews_for_the_same_user_on_the_same_board(self) -> None:
        renewed = self.authority.renew(token(exp=4_000_000_000), "demo", "ada")
        assert renewed == Renewal(4_000_000_000_000, ProfileChange(), may_change_profile=False)

    def test_a_newer_profile_comes_with_a_newer_token(self) -> None:
        renewed = self.authority.renew(token(name="Ada L", color="#010203"), "demo", "ada")
        assert renewed.change == ProfileChange(display_name="Ada L", color="#010203")

    def test_a_claim_that_is_no_text_is_no_claim(self) -> None:
        renewed = self.authority.renew(token(name=7, picture=["x"]), "demo", "ada")
        assert renewed.change == ProfileChange()

    def test_the_claim_profile_gives_the_profile_to_the_client(self) -> None:
        text = token(name="Ada", profile="client")
        assert self.authority.admit(handshake(authorization=f"Bearer {text}")).may_change_profile
        renewed = self.authority.renew(text, "demo", "ada")
        assert renewed.may_change_profile
        assert renewed.change == ProfileChange()

    @pytest.mark.parametrize("value", ["server", "", True, ["client"], {"client": 1}])
    def test_no_other_value_of_that_claim_does(self, value: object) -> None:
        text = token(profile=value)
        grant = self.authority.admit(handshake(authorization=f"Bearer {text}"))
        assert not grant.may_change_profile

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("x", ErrorCode.UNAUTHORIZED),
            (token("eve"), ErrorCode.UNAUTHORIZED),
            (token("a\ud800da"), ErrorCode.UNAUTHORIZED),
            (token(boards=["other"]), ErrorCode.FORBIDDEN),
        ],
    )
    def test_renews_for_nobody_else(self, text: str, code: ErrorCode) -> None:
        with pytest.raises(BadMessage) as error:
            self.authority.renew(text, "demo", "ada")
        assert error.value.code is code


def encoded(more: dict[str, object]) -> str:
    """A token with these claims beside the usual ones."""
    return jwt.encode(claims() | more, SECRET, "HS256")


class TestTheIssuersClock:
    """It may be ahead by the leeway, for ``iat`` and ``nbf``; ``exp`` has none."""

    def verifier(self) -> TokenVerifier:
        key = read_key(SECRET).restricted_to(())
        return TokenVerifier([key], {}, leeway_s=30)

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_may_be_ahead_by_the_leeway_and_no_more(self, claim: str) -> None:
        now = time.time()
        self.verifier().verify(encoded({claim: now + 25}))
        with pytest.raises(InvalidToken, match="not valid yet"):
            self.verifier().verify(encoded({claim: now + 35}))

    def test_does_not_move_the_end(self) -> None:
        with pytest.raises(InvalidToken, match="expired"):
            self.verifier().verify(token(exp=int(time.time()) - 5))

    @pytest.mark.parametrize("value", ["soon", True, [], float("nan"), float("inf")])
    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_that_makes_no_sense_is_refused(self, claim: str, value: object) -> None:
        with pytest.raises(InvalidToken):
            self.verifier().verify(encoded({claim: value}))


class TestTwoIdentities:
    """Never become one."""

    def test_a_sub_of_128_characters_is_the_user_and_a_longer_one_is_refused(self) -> None:
        assert verifier().verify(token("x" * 128)).profile.user_id == "x" * 128
        with pytest.raises(InvalidToken, match="longer than 128"):
            verifier().verify(token("x" * 129))

    def test_a_long_sub_and_its_cut_form_are_not_the_same_user(self) -> None:
        cut = clean_user_id("x" * 200)
        assert cut is not None
        assert verifier().verify(token(cut)).profile.user_id == cut
        with pytest.raises(InvalidToken):
            verifier().verify(token("x" * 200))

    @pytest.mark.parametrize(
        ("pattern", "board_id", "covered"),
        [
            ("team-[ab]", "team-a", False),
            ("[!x]*", "demo", False),
            ("team-?", "team-a", True),
            ("*", "demo", True),
            ("team-*", "team-", True),
            ("demo", "demo", True),
            ("DEMO", "demo", False),
        ],
    )
    def test_a_pattern_has_no_wildcards_but_star_and_question_mark(
        self, pattern: str, board_id: str, *, covered: bool
    ) -> None:
        assert verifier().verify(token(boards=[pattern])).covers(board_id) is covered


class TestRefusedTokens:
    """Each is counted, by its reason."""

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("x", RefusalReason.TOKEN_INVALID),
            (token(exp=1), RefusalReason.TOKEN_EXPIRED),
            (token("eve"), RefusalReason.TOKEN_INVALID),
            (token(boards=["other"]), RefusalReason.TOKEN_NOT_FOR_BOARD),
        ],
    )
    def test_in_a_renewal(self, text: str, reason: RefusalReason) -> None:
        refusals = RefusalCounter()
        with pytest.raises(BadMessage):
            TokenAuthority(verifier(), refusals).renew(text, "demo", "ada")
        assert refusals.counts[reason] == 1

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ({}, RefusalReason.TOKEN_MISSING),
            ({"authorization": "Bearer x"}, RefusalReason.TOKEN_INVALID),
            ({"authorization": f"Bearer {token(exp=1)}"}, RefusalReason.TOKEN_EXPIRED),
            (
                {"authorization": f"Bearer {token(boards=['other'])}"},
                RefusalReason.TOKEN_NOT_FOR_BOARD,
            ),
        ],
    )
    def test_in_a_handshake(self, headers: dict[str, str], reason: RefusalReason) -> None:
        with pytest.raises(AccessDenied) as denied:
            TokenAuthority(verifier(), RefusalCounter()).admit(handshake(**headers))
        assert denied.value.reason is reason
