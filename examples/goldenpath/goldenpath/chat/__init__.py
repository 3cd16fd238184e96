"""The chat service: threads, runs of the agent, and the WebSocket they are watched on."""
