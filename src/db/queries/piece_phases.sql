-- {phases}: how long the parts of an attempt a took, as JSON; NULL: that was not recorded.
CASE WHEN num_nonnulls(a.dns_ms, a.connect_ms, a.tls_ms, a.wait_ms) > 0
     THEN json_build_object('dns_ms', a.dns_ms, 'connect_ms', a.connect_ms, 'tls_ms', a.tls_ms, 'wait_ms', a.wait_ms) END
