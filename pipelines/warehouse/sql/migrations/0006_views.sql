-- From which SQL the views of this file were made, so that they are made again only when it is another. One row.
CREATE TABLE audit.view_versions (
    texts_sha256 VARCHAR NOT NULL,
    standing_sha256 VARCHAR NOT NULL
);
