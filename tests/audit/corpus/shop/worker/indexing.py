from worker.ids import UniqueIds

ids = UniqueIds("index")


def start(queue):
    job_id = ids.new()  #! none: a call that works
    queue.put(job_id)
    return job_id


def restart(queue):
    queue.put(ids.fresh())  #! broken-call


def rebuild(queue):
    queue.put(UniqueIds().new())  #! broken-call
