#!/usr/bin/env python
"""Fills in what old runs lack."""

import argparse
import csv
import sys
import time
from itertools import count
from uuid import uuid4

numbers = count(start=1000)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-id", default=f"batch-{int(time.time())}")  #! time-only hand-made
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    writer = csv.writer(sys.stdout)
    for row in csv.DictReader(sys.stdin):
        if not row["run_id"]:
            row["run_id"] = str(uuid4())  #! direct-uuid
        row["job_id"] = next(numbers)  #! weak-source
        prefix = row["run_id"].split("-")[0]  #! reader
        writer.writerow([options.batch_id, prefix, *row.values()])
        print("done", row["run_id"][:8], file=sys.stderr)  #! none: log line


if __name__ == "__main__":
    main()
