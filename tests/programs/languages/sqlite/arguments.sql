CREATE TABLE said (word TEXT);
