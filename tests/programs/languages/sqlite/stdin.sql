CREATE TABLE people (name TEXT);
.import '|cat' people
SELECT 'hello ' || name FROM people;
