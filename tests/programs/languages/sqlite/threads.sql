-- SQL has no threads; the engine's own loop does the work.
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3) SELECT sum(n * n) FROM numbers;
