"""The ledger's tables, and the statements that are more than a line."""

from facedet.download.account import COLUMNS
from facedet.download.content import PLACEHOLDER_URLS
from facedet.download.outcome import ERROR_CLASSES

CLASSES = ", ".join(f"'{name}'" for name in ERROR_CLASSES)
SCHEMA = (
    f"""
    CREATE TABLE links (
        identity TEXT NOT NULL,
        photo_id TEXT NOT NULL,
        url TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
        error_class TEXT NOT NULL DEFAULT '' CHECK (error_class IN ('', {CLASSES})),
        http_status INTEGER,
        bytes INTEGER,
        sha256 TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        first_at REAL,
        last_at REAL,
        final_url TEXT NOT NULL DEFAULT '',
        image_path TEXT NOT NULL DEFAULT '',
        note TEXT NOT NULL DEFAULT '',
        image_width INTEGER,
        image_height INTEGER,
        label_fits INTEGER,
        host TEXT NOT NULL,
        key TEXT NOT NULL, -- the URL in its one spelling
        final_host TEXT NOT NULL DEFAULT '', -- where it ended; goes with the sum
        x1 REAL, y1 REAL, x2 REAL, y2 REAL,
        repeats INTEGER NOT NULL DEFAULT 0, -- whether an earlier row has the same key
        again INTEGER NOT NULL DEFAULT 0, -- whether a failure waits to be tried again
        number INTEGER PRIMARY KEY,
        UNIQUE (identity, photo_id),
        CHECK ((state = 'failed') = (error_class <> ''))
    )""",
    "CREATE INDEX links_by_key ON links (key)",
    "CREATE INDEX links_waiting ON links (host, number) WHERE state = 'waiting' AND NOT repeats",
    "CREATE INDEX links_by_time ON links (last_at) WHERE state = 'done'",
    "CREATE INDEX links_by_picture ON links (sha256, host) WHERE sha256 <> ''",
    """
    CREATE TABLE source (
        number INTEGER PRIMARY KEY CHECK (number = 1), -- there is one row
        made_at REAL NOT NULL, -- when this ledger was, in seconds since 1970
        n_rows INTEGER,
        n_unusable INTEGER
    )""",
)
# What a row gets from the fetch of its URL; its label is judged row by row.
FATE = (
    *("state", "error_class", "http_status", "bytes", "sha256", "final_url", "final_host"),
    *("image_path", "note", "image_width", "image_height"),
)
INCOMING = """
CREATE TEMP TABLE incoming (
    identity TEXT, photo_id TEXT, url TEXT, host TEXT, key TEXT, x1 REAL, y1 REAL, x2 REAL, y2 REAL
)"""
CONTRADICTION = """
SELECT identity || '/' || photo_id, links.url, incoming.url
FROM incoming JOIN links USING (identity, photo_id) WHERE incoming.key <> links.key LIMIT 1"""
ADD = """
INSERT OR IGNORE INTO links (identity, photo_id, url, host, key, x1, y1, x2, y2)
SELECT identity, photo_id, url, host, key, x1, y1, x2, y2 FROM incoming ORDER BY incoming.rowid"""
MARK_REPEATS = """
UPDATE links SET repeats = 1 WHERE number > ? AND EXISTS (
    SELECT 1 FROM links AS before WHERE before.key = links.key AND before.number < links.number
)"""
SHARED = f"{', '.join(FATE)}, attempts, first_at, last_at"
SHARE_FATE = f"""
UPDATE links SET ({SHARED}) = (
    SELECT {SHARED} FROM links AS known WHERE known.key = links.key AND known.number <= :last
)
WHERE number > :last AND repeats AND EXISTS (
    SELECT 1 FROM links AS known WHERE known.key = links.key AND known.number <= :last
)"""
JUDGE = """
UPDATE links SET label_fits = judged(x1, y1, x2, y2, image_width, image_height)
WHERE number > ? AND state = 'done'"""
CORRECT = """
UPDATE links SET x1 = incoming.x1, y1 = incoming.y1, x2 = incoming.x2, y2 = incoming.y2,
    label_fits = IIF(state = 'done', judged(
        incoming.x1, incoming.y1, incoming.x2, incoming.y2, image_width, image_height
    ), label_fits)
FROM incoming
WHERE links.identity = incoming.identity AND links.photo_id = incoming.photo_id
    AND (links.x1, links.y1, links.x2, links.y2)
        IS NOT (incoming.x1, incoming.y1, incoming.x2, incoming.y2)"""
WAITING = """
SELECT number, identity, photo_id, url, x1, y1, x2, y2 FROM links
WHERE state = 'waiting' AND NOT repeats AND number > ?{} ORDER BY number LIMIT ?"""
WAITING_HOSTS = """
SELECT host, COUNT(*) FROM links WHERE state = 'waiting' AND NOT repeats{}
GROUP BY host ORDER BY 2 DESC, 1"""
WAITING_AT = """
SELECT number, identity, photo_id, url, x1, y1, x2, y2 FROM links
WHERE state = 'waiting' AND NOT repeats AND host = ? AND number > ?{} ORDER BY number LIMIT ?"""
ONLY_AGAIN = " AND again"
FORGET = """
UPDATE links SET state = 'waiting', error_class = '', http_status = NULL, bytes = NULL,
    final_url = '', image_path = '', note = '', image_width = NULL, image_height = NULL,
    label_fits = NULL"""
RECORD = f"""
UPDATE links SET ({", ".join(FATE)}) = ({", ".join("?" * len(FATE))}),
    label_fits = judged(x1, y1, x2, y2, ?, ?), again = 0,
    attempts = attempts + ?, first_at = COALESCE(first_at, ?), last_at = ?
WHERE key = ?"""
OFTEN = f"""
SELECT sha256 FROM links WHERE sha256 <> '' GROUP BY 1 HAVING COUNT(*) >= {PLACEHOLDER_URLS}"""
SUSPECTS = f"""
WITH pictures AS (
    SELECT sha256, host, final_host, key, identity, state FROM links
    WHERE sha256 <> '' AND sha256 IN ({{}})
), at_sites AS (
    SELECT sha256, host AS site, key, identity, state FROM pictures
    UNION ALL
    SELECT sha256, final_host, key, identity, state FROM pictures WHERE final_host NOT IN ('', host)
)
SELECT sha256, site, COUNT(DISTINCT key) AS n_urls, COUNT(DISTINCT identity) FROM at_sites
GROUP BY sha256, site
HAVING SUM(state = 'done') > 0 AND n_urls >= {PLACEHOLDER_URLS}
ORDER BY sha256, site"""
LABELS = """
SELECT identity, image_width, image_height, x1, y1, x2, y2 FROM links
WHERE sha256 = ? AND (host = ? OR final_host = ?)
ORDER BY state = 'done' DESC, number LIMIT ?"""
FAILURES = """
SELECT error_class, IIF(error_class IN ('http_4xx', 'http_5xx'), http_status, NULL), COUNT(*) AS n
FROM links WHERE state = 'failed' GROUP BY 1, 2 ORDER BY n DESC, 1, 2"""
FUNNEL = """
SELECT COALESCE((SELECT n_rows FROM source), COUNT(*)),
    COALESCE((SELECT n_rows - n_unusable FROM source), COUNT(*)),
    COALESCE(SUM(NOT repeats), 0),
    COALESCE(SUM(NOT repeats AND state <> 'waiting'), 0),
    COALESCE(SUM(NOT repeats AND http_status IS NOT NULL), 0),
    COALESCE(SUM(NOT repeats AND state = 'done'), 0),
    COALESCE(SUM(NOT repeats AND state = 'done' AND label_fits IS NOT 0), 0)
FROM links"""
ROW = ", ".join(COLUMNS)
