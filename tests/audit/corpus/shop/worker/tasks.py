"""Background work."""

import logging
import os
import random
import time
import uuid
from datetime import date, datetime

from celery import chain, shared_task

from billing import numbers

logger = logging.getLogger(__name__)
STARTED = time.time()  #! none: a time


@shared_task(bind=True, max_retries=5)
def export(self, shop_id):
    path = f"/tmp/export-{uuid.uuid4()}.csv"  #! none: temp-file
    try:
        write(path)
    except OSError as error:
        raise self.retry(exc=error, countdown=random.randint(1, 30))  #! none: jitter
    os.replace(path, f"/srv/exports/{shop_id}.csv")  #! reader


@shared_task
def nightly(shop_ids):
    for shop_id in shop_ids:
        export.apply_async((shop_id,), task_id=str(uuid.uuid4()))  #! direct-uuid


@shared_task
def on_demand(shop_id):
    task_id = f"export-{shop_id}-{int(time.time())}"  #! time-only hand-made
    return export.apply_async(args=[shop_id], task_id=task_id).id


@shared_task(name="shop.settle")
def settle(shop_id, cache):
    token = uuid.uuid4().hex  #! none: lock token
    if not cache.set(f"lock:settle:{shop_id}", token, nx=True, ex=60):  #! ~hand-made
        return None
    settlement_id = "-".join(["set", shop_id, datetime.utcnow().strftime("%Y%m%d")])  #! time-only hand-made
    logger.info("settlement %s", settlement_id)
    return settlement_id


@shared_task
def import_feed(url, redis):
    run_id = uuid.uuid4().hex[:8]  #! direct-uuid truncated
    logger.info("[%s] reading %s", run_id, url)
    redis.hset(f"import:{run_id}", mapping={"url": url})  #! ~hand-made
    return run_id


@shared_task
def place(cart_id):
    order_id = numbers.order_id()
    chain(reserve.s(order_id), charge.s()).apply_async()
    return order_id


@shared_task
def reserve(order_id):
    attempt_id = f"{order_id}-{random.randint(0, 9999)}"  #! weak-source hand-made ~conflict
    return attempt_id


@shared_task
def charge(attempt_id):
    order_id, attempt = attempt_id.rsplit("-", 1)  #! reader ~conflict
    return order_id, int(attempt)


def allowed(cache, shop_id):
    key = f"throttle:{shop_id}:{int(time.time()) // 3600}"  #! none: rate-limit bucket
    return cache.incr(key) <= 100


def dump_name():
    return "dump-{:%Y-%m-%d}.sql".format(date.today())  #! none: dated file name


def age():
    return int(time.time() - STARTED)  #! none: duration


def write(path):
    with open(path, "w") as file:
        file.write("id;total\n")
