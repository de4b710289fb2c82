# Sourced by the recipes that import by hand: what takes bash, OpenSSL 3, curl and Python's json, and nothing of ours.
# $STRONGROOM_HOME is the configuration folder, $mode the hierarchy (production or development) that certificates must
# be of; statements and answers land in the current folder. Everything rests on `set -e`: the first check that fails ends all.

trust="$STRONGROOM_HOME/trust"

# --- JSON and base64url ---

get() { # get FILE MEMBER…: a value of a JSON file
    python3 -c '
import json, sys
value = json.load(open(sys.argv[1]))
for step in sys.argv[2:]:
    value = value[int(step) if step.isdigit() else step]
print(value if isinstance(value, str) else json.dumps(value))' "$@"
}

b64u() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

unb64u() {
    local text
    text="$(tr -d '\n' | tr -- '-_' '+/')"
    while ((${#text} % 4)); do text+="="; done
    printf %s "$text" | openssl base64 -d -A
}

digest() { openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1; }

same() { # same WHAT FOUND EXPECTED
    if [[ -z $2 || $2 != "$3" ]]; then
        echo "STOP: $1 is '$2', not '$3'" >&2
        return 1
    fi
    echo "$1: $2"
}

# --- names that are derived from bytes (docs/spec/protocol.md, Encodings) ---

number() { printf '%b' "$(printf '%016x' "$1" | sed 's/../\\x&/g')"; }

identifier() { # identifier PREFIX FILE
    {
        number "${#1}"
        printf %s "$1"
        number "$(stat -c %s "$2")"
        cat "$2"
    } | openssl dgst -sha256 -binary | head -c 20 | base32 | tr 'A-Z' 'a-z' | sed "s/^/$1/"
}

thumbprint() { # thumbprint FILE: of the Ed25519 public key in a JWK (RFC 7638)
    printf '{"crv":"Ed25519","kty":"OKP","x":"%s"}' "$(get "$1" x)" | openssl dgst -sha256 -binary | b64u
}

# --- HTTP ---

asked() { # asked TRUSTED.pem URL OPTION…: the answer; a refusal is shown, and ends all
    local answer
    if ! answer="$(curl --silent --show-error --fail-with-body --cacert "$1" "${@:3}" "$2")"; then
        echo "STOP: $answer" >&2
        return 1
    fi
    printf %s "$answer"
}

portal() { # portal PATH [JSON or @FILE]: the answer. The token goes by a file and shows in no list of processes.
    asked "$trust/provider-tls.pem" "$(get "$STRONGROOM_HOME/config.json" url)/api/v1/$1" ${2:+--json "$2"} \
        --header @<(printf 'Authorization: Bearer %s\n' "$(<"$STRONGROOM_HOME/token")")
}

manufacturer() { # manufacturer PATH JSON
    asked "$trust/manufacturer-tls.pem" "$(get "$STRONGROOM_HOME/config.json" manufacturer_url)/v1/$1" --json "$2"
}

# --- signed statements (RFC 7515): NAME.jws becomes NAME.json once its signature holds ---

taken_apart() { # taken_apart NAME TYP
    cut -d . -f 1 "$1.jws" | unb64u >"$1.head.json"
    cut -d . -f 3 "$1.jws" | unb64u >"$1.signature"
    printf %s "$(cut -d . -f 1,2 "$1.jws")" >"$1.signed"
    same "typ of $1" "$(get "$1.head.json" typ)" "strongroom.$2"
}

signed_by() { # signed_by NAME PUBLIC.pem
    openssl pkeyutl -verify -rawin -in "$1.signed" -sigfile "$1.signature" -pubin -inkey "$2"
    cut -d . -f 2 "$1.jws" | unb64u >"$1.json"
}

certified() { # certified NAME TYP ROLE: by a certificate that the manufacturer's root issued for this role and mode
    local profile=2.25.239108274937846138372943857473822719043
    taken_apart "$1" "$2"
    get "$1.head.json" x5c 0 | openssl base64 -d -A | openssl x509 -inform DER -out "$1.certificate.pem"
    openssl verify -no-CApath -no-CAstore -CAfile "$trust/manufacturer-roots.pem" "$1.certificate.pem"
    openssl x509 -in "$1.certificate.pem" -noout -text | grep -A 1 "$profile" | grep -F "{\"mode\":\"$mode\",\"role\":\"$3\"}"
    openssl x509 -in "$1.certificate.pem" -noout -pubkey >"$1.public.pem"
    signed_by "$1" "$1.public.pem"
}

by_device() { # by_device NAME TYP: by the device that it names
    certified "$1" "$2" device
    openssl pkey -pubin -in "$1.public.pem" -outform DER | tail -c 32 >"$1.public.raw"
    same "device of $1" "$(get "$1.json" device)" "$(identifier dev_ "$1.public.raw")"
}

by_provider() { # by_provider NAME TYP: by the provider's validation key
    taken_apart "$1" "$2"
    {
        printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00' # a SubjectPublicKeyInfo of Ed25519 (RFC 8410)
        get "$trust/provider-validation.json" x | unb64u
    } | openssl pkey -pubin -inform DER -out "$1.public.pem"
    signed_by "$1" "$1.public.pem"
}

# --- the keys to encrypt to, each vouched for by those who can know of it ---

endorsed() { # endorsed NAME PURPOSE PREFIX: NAME.jws holds a key of this suite; NAME.pem is that key
    by_device "$1" endorsement
    same "purpose of $1" "$(get "$1.json" purpose)" "$2"
    same "suite of $1" "$(get "$1.json" suite)" RSA-AES-KWP
    get "$1.json" public_key | unb64u >"$1.der"
    same "key id of $1" "$(get "$1.json" key_id)" "$(identifier "$3" "$1.der")"
    openssl pkey -pubin -inform DER -in "$1.der" -out "$1.pem"
}

vouched() { # vouched NAME STATEMENT NONCE: the validator's STATEMENT is about the key NAME, fresh and good
    same "nonce of $2" "$(get "$2.json" nonce)" "$3"
    same "key id of $2" "$(get "$2.json" key_id)" "$(get "$1.json" key_id)"
    same "bytes of the key of $2" "$(get "$2.json" public_key_digest)" "$(digest "$1.der")"
    same "device of $2" "$(get "$2.json" device)" "$(get "$1.json" device)"
    same "provider of $2" "$(get "$2.json" provider)" "$(get "$STRONGROOM_HOME/config.json" provider)"
    same "status of $2" "$(get "$2.json" status)" in-force
    same "status of the device of $2" "$(get "$2.json" device_status)" in-force
    (("$(get "$2.json" expires_at)" > "$(date +%s)"))
}

validation() { # validation STATEMENT VALIDATOR SUBJECT STATUS: what the header says of a statement
    local at
    at="$(get "$1.json" issued_at)"
    printf '{"validator":"%s","subject":"%s","status":"%s","statement_digest":"%s","issued_at":%s}' \
        "$2" "$3" "$4" "$(printf %s "$(<"$1.jws")" | openssl dgst -sha256 -r | cut -d ' ' -f 1)" "$at"
}
