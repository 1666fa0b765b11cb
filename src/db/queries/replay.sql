-- GET /v1/replays/ID. $1 its id.
SELECT {replay} FROM {replays} r WHERE r.id = $1::uuid
