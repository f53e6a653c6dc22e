-- Changes of rates.toml and packages.toml stand among the admin actions: which file, what, and its hash before and after.
ALTER TABLE audit.admin_actions ADD COLUMN change JSON;
