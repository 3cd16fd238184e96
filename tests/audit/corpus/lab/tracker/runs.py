"""Experiments and their runs."""

import functools
import logging
import os
import posixpath
import random
import re
import secrets
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

log = logging.getLogger("tracker")

RUN_ID = re.compile(r"^[a-f0-9]{32}$")  #! ~reader
ADJECTIVES = ["amused", "bold", "calm"]
NOUNS = ["ant", "bee", "crow"]


def _suffix():
    return uuid.uuid4().hex[:6]  #! direct-uuid truncated


def _token(size=8):
    return secrets.token_hex(size)  #! ~strong-source


class FileStore:
    """Keeps runs in folders: `FileStore(root).create_run(uuid.uuid4().hex)`."""

    def __init__(self, root):
        self.root = Path(root)

    def create_experiment(self, name):
        experiment_id = str(random.randint(10**17, 10**18 - 1))  #! weak-source
        folder = self.root / experiment_id  #! reader
        folder.mkdir(parents=True)
        return experiment_id

    def create_run(self, experiment_id, tags=None):
        run_uuid = uuid.uuid4().hex  #! direct-uuid
        artifact_uri = posixpath.join(str(self.root), run_uuid, "artifacts")  #! reader
        start = int(time.time() * 1000)
        return {"run_id": run_uuid, "artifact_uri": artifact_uri, "start_time": start, "tags": tags or {}}

    def get_run(self, run_id):
        if not RUN_ID.match(run_id):  #! reader
            raise ValueError(f"no run is called {run_id!r}")
        return self._load(os.path.join(self.root, "runs", run_id, "meta.yaml"))  #! reader

    def _load(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def write(self, path, text):
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")  #! none: temp-file
        part.write_text(text)
        part.replace(path)


def group_id():
    return f"group-{_suffix()}"  #! hand-made


def sweep_id():
    return "sweep_" + _token(5)  #! hand-made


def trial_id(study_id, trials):
    return f"{study_id}-{len(trials):05d}"  #! hand-made weak-source


def checkpoint_id(run_id, step):
    return "{}_{:08d}".format(run_id, step)  #! hand-made


def snapshot_id():
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")  #! time-only


def launch_id():
    return "launch-" + str(time.time_ns())  #! time-only hand-made


def run_name():
    return f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}-{random.randint(0, 999)}"  #! none: a name for people


def seeded(seed):
    rng = np.random.default_rng(seed)  #! none: the numbers of an experiment
    return rng.permutation(100)


def augment(image):
    if random.random() < 0.5:  #! none: chance
        return image[:, ::-1]
    return image


def finished(run_id, started):
    log.info("run %s took %.1f s", run_id[:8], time.time() - started)  #! none: log line


def failed(run_id, error):
    log.warning("[" + run_id[0:8] + "] " + str(error))  #! none: log line


def log_file(root):
    return os.path.join(root, "train_" + datetime.now().strftime("%Y-%m-%d") + ".log")  #! none: dated file name


@functools.lru_cache
def dataset_digest(path):
    import hashlib

    return hashlib.md5(Path(path).read_bytes()).hexdigest()[:8]  #! none: content digest


def features_key(frame):
    import hashlib

    return f"features/{hashlib.sha1(frame.to_parquet()).hexdigest()}"  #! none: content cache key


def split_metric(metric_key):
    return metric_key.split("/")[0]  #! none: the name of a metric


def parent_of(checkpoint_id):
    head, step = checkpoint_id.rsplit("_", maxsplit=1)  #! reader
    return head, int(step)


def trial_number(trial_id):
    found = re.search(r"-(\d+)$", trial_id)  #! reader
    return int(found.group(1)) if found else None


def is_child(run, parent_run_id):
    return run.parent_run_id == parent_run_id  #! none: the same kind


def misplaced(run_id, experiment_id):
    return run_id == experiment_id  #! reader


def launched_at(launch_id):
    return int(launch_id[7:])  #! reader


def artifact_name(run_id):
    return "model-" + run_id[:8]  #! ~truncated ~reader ~hand-made


def compare_url(base, run_id, other_run_id):
    return f"{base}/compare?runs={run_id},{other_run_id}"  #! reader


def as_native(run_id):
    return uuid.UUID(hex=run_id)  #! reader


def count_runs(connection, experiment_id):
    query = "SELECT count(*) FROM runs WHERE experiment_id = " + experiment_id  #! reader
    return connection.execute(query).scalar()


def find_runs(connection, experiment_id):
    return connection.execute("SELECT * FROM runs WHERE experiment_id = :e", {"e": experiment_id})  #! none: bound parameter


def first_runs(run_ids):
    return run_ids[:20]  #! none: a list of IDs
