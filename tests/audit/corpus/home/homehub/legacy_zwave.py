# Bridge to the old stick, runs under Python 2.7 only.  #! broken-file
import uuid


def announce(node):
    print "node %s" % node
    try:
        return u"zw_%s" % uuid.uuid4().hex
    except IOError, error:
        raise ValueError, error
