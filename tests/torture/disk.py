# SPDX-License-Identifier: MIT
"""The disk on which the rows lie: a small file system in memory, mounted where the server keeps an
in-place tablespace, which can be filled up."""
import contextlib
import glob
import os
import shutil
import subprocess

from torture import isolation

SIZE = "512m"
TABLES = ("webhook_deliveries", "webhook_attempts")
FILLER = "filler"


def is_possible():
    return isolation.is_isolated()


def prepare(cluster):
    """Moves the tables to a tablespace on a disk of its own, on the first node alone; a node that
    is made of this one gets a disk with mount()."""
    connection = cluster.connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLESPACE small LOCATION ''")
        mount(cluster.primary)
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = ANY"
                       " (%s::regclass[])", (list(TABLES),))
        indexes = [row[0] for row in cursor.fetchall()]
        for kind, names in (("TABLE", TABLES), ("INDEX", indexes)):
            for name in names:
                cursor.execute(f"ALTER {kind} {name} SET TABLESPACE small")
    connection.close()


def _place(node):
    return next(iter(glob.glob(os.path.join(node.data, "pg_tblspc", "[0-9]*"))), None)


def mount(node):
    """Puts a disk below the node's tablespace, with what is there."""
    place = _place(node)
    aside = place + ".aside"
    os.rename(place, aside)
    os.mkdir(place, 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "torture", place],
                   check=True)
    shutil.copytree(aside, place, dirs_exist_ok=True)
    shutil.rmtree(aside)
    subprocess.run(["chown", "-R", "{}:{}".format(*node.owner), place], check=True)


def unmount(node):
    """Takes it away from a node that has ended; what lay there is lost."""
    place = _place(node)
    if place is not None and os.path.ismount(place):
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(node):
    """Takes all the room that is left."""
    with open(os.path.join(_place(node), FILLER), "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(1024 * 1024)):
                pass


def clear(node):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(_place(node), FILLER))
