"""The customer's SDK. Start with `connect`; the main path is `imports.import_key`."""
