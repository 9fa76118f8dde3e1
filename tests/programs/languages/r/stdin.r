for (line in readLines("stdin")) cat("hello", line, "\n", sep = c(" ", "", ""))
