"""The customer's own revocation endpoint: what the TEE asks before it goes on using a key (docs/spec/revocation.md)."""
