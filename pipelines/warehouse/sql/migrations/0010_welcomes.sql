-- What became of an account's welcome when its time came: bonus, opening (it moved in with a balance), app (the app's own
-- records carry it) or none (the settings gave none). NULL: not yet.
ALTER TABLE books.account_heads ADD COLUMN welcome VARCHAR;
