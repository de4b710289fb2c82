"""The words that the five trust domains share: pure data, encoding, signing and checking. No I/O."""
