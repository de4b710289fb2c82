"""The data plane: operations on keys, in front of Django in the same process (docs/decisions/0008).

An operation passes no middleware, serializer or ORM: token and key from memory, one round trip to the TEE.
"""
