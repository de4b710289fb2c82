"""The provider's officers' side: cards, actions and unsealing. Nothing here trusts what the portal displays."""
