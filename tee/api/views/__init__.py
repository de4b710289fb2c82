"""What customers ask of the TEE through the portal, but for operations, which have a data plane of their own."""
