"""The reference application: login → WebSocket chat → agent events → AI reply."""
