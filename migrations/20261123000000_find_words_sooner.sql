-- The same words for a third of the work, which was most of what it took to create a run. `translate` compares each
-- character with each of its 32; and PostgreSQL's parser takes most signs for spaces anyway. Left are those with which
-- it would see more than words: signed and decimal numbers, hyphens, hosts, paths, addresses, entities and tags.
CREATE OR REPLACE FUNCTION words_of(body text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector(
        'pg_catalog.simple'::regconfig,
        regexp_replace(left(COALESCE(body, ''), 40000), '[-&+./:<@_~]', ' ', 'g')
    )
$$;
