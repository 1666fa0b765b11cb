-- How many replays of a customer run, up to 20.
(SELECT count(*) FROM (SELECT FROM {replays} WHERE finished_at IS NULL AND stopped_at IS NULL LIMIT 20) running)
