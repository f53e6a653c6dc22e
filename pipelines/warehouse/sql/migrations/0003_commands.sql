-- Changes of rates.toml and packages.toml stand among the admin actions: which file, what, and its hash before and after.
ALTER TABLE audit.admin_actions ADD COLUMN change JSON;

-- An entry that cannot be posted is kept, with the reason, and moves nothing.
ALTER TABLE audit.admin_actions ADD COLUMN held_reason VARCHAR;
