# SPDX-License-Identifier: MIT
"""A worker that runs on while rows come in, transaction after transaction, faster than it delivers."""
from bench.load import Load, insert_customers
from bench.throughput import (Failure, Sample, count_duplicates, per_delivery_us, wait_for_arrivals,
                              wait_until)

TRANSACTIONS = 20


class Stream:
    """One system, at work; each round() inserts rows and waits until they are delivered."""

    def __init__(self, server, database, system, receiver, hosts):
        self._server = server
        self._database = database
        self._system = system
        self._receiver = receiver
        self._hosts = hosts
        self._rows = 0
        self._connection = database.connect()  # the producer's; its backend is not counted
        insert_customers(database, Load(0, hosts, receiver.port))

    def round(self, rows):
        load = Load(rows, self._hosts, self._receiver.port)
        wal = self._database.wal_bytes()
        begin = Sample(self._system, self._server, self._receiver)
        for number in range(TRANSACTIONS):
            first = rows * number // TRANSACTIONS
            self._system.insert(self._database, load, first,
                                rows * (number + 1) // TRANSACTIONS - first, self._connection)
        self._rows += rows
        wait_for_arrivals(self._system, self._receiver, self._rows)
        # Whether all are marked may take seconds to ask, where vacuum is held back.
        seconds = self._receiver.arrivals.latest() - begin.time
        wait_until(lambda: self._system.is_done(self._database), self._system,
                   "the rows to be marked")
        end = Sample(self._system, self._server, self._receiver)
        return {"rows": rows, "seconds": round(seconds, 3),
                "per_second": round(rows / seconds),
                **per_delivery_us(begin, end, rows),
                "wal_bytes_with_inserts": round((self._database.wal_bytes() - wal) / rows),
                "peak_memory_mib": round(self._system.peak_memory_mib(), 1)}

    def totals(self):
        arrivals = self._receiver.arrivals.all()
        return {"requests": len(arrivals), "duplicates": count_duplicates(arrivals),
                "delivered": self._system.delivered(self._database), "all_rows": self._rows}

    def close(self):
        self._connection.close()


def check_totals(figures):
    if not figures["all_rows"] == figures["delivered"] == \
            figures["requests"] - figures["duplicates"]:
        raise Failure(f"rows, requests and marks do not agree: {figures}")
    return figures
