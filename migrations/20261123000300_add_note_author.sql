-- Who wrote a note, where neither the account nor the key is of this server: the project came in an archive.

ALTER TABLE notes ADD COLUMN author text CHECK (length(author) BETWEEN 1 AND 100);
