-- The other engine gets an index over each table's row numbers, which are the primary key here: nothing changes.
DELETE FROM "bruno_outbox" WHERE false;
