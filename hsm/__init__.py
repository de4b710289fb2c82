"""The sealed process (TEE): it alone opens envelopes and uses keys. It knows no Django, database or tenants' people."""
