-- Who people are to the identity provider. The provider's own word for somebody (the subject) never changes; names do.
CREATE TABLE identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL UNIQUE REFERENCES person(id),
    created_at INTEGER NOT NULL,
    -- Of the newest sign-in that the mapping let in.
    signed_in_at INTEGER NOT NULL,
    -- Since when the person's groups give no role; NULL while they do.
    refused_at INTEGER,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Links that sign somebody in once. In a demo they may be used again.
CREATE TABLE sign_in_link (
    sha256 TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person(id),
    expires_at INTEGER NOT NULL,
    is_reusable INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_link_of_person ON sign_in_link(person);
CREATE INDEX sign_in_link_by_end ON sign_in_link(expires_at);

-- The list of somebody's tokens, and those that end with their owner's.
CREATE INDEX api_token_of_person ON api_token(person, created_at);
