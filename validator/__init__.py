"""An independent validator: watches the keys that manufacturer and provider publish, and signs what it saw."""
