"""The TEE vendor's service: certifies devices, keeps the provider table, answers for vendor keys."""
