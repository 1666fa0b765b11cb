-- The oldest worker, by the newest migration that it knows, which can work on the schema as each
-- migration left it. A worker does not mind a schema that is newer than itself from there on, so
-- those of the version before go on, and reconnect, while machine after machine is upgraded. A
-- migration that older workers can't live with says so by a new default, its own number.
ALTER TABLE postrider_migrations ADD COLUMN works_from integer NOT NULL DEFAULT 9;
