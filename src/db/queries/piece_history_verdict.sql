-- Whether the range that was asked for is one, and of how many points.
SELECT CASE WHEN a.since >= a.until THEN 400
            WHEN (extract(epoch FROM a.until) - extract(epoch FROM a.since)) / a.step > 1500 THEN 422
            ELSE 200 END AS status
FROM asked a
