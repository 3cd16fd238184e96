from backend.app.agents.runner import run

if __name__ == "__main__":
    run("u")
