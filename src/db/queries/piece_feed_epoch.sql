-- {feed_epoch}: which numbering of transactions a cursor of a feed is of; o is a row of the epoch. After a restore, a
-- fail-over or an upgrade transactions may have the ids of others again; then one of these is another one: the cluster,
-- its timeline, the database, or what "postrider migrate" has written down.
(SELECT left(encode(sha256(convert_to(concat_ws(' ', s.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                                                b.oid, o.epoch), 'UTF8')), 'hex'), 16)
 FROM pg_control_system() s, pg_database b WHERE b.datname = current_database())
