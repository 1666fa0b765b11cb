-- The history knows how many answers of each class a minute had, and not what the last one was: 404 and 410 are another
-- matter. NULL: no attempt, written by an older worker, or of all endpoints; 0: the last attempt had no answer.
ALTER TABLE webhook_history ADD COLUMN last_status integer;
