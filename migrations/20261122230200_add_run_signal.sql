-- What the signal is called that ended the run's command, if one did: an exit code of 137 alone may be the command's own.

ALTER TABLE runs ADD COLUMN signal text CHECK (octet_length(signal) BETWEEN 1 AND 32);
