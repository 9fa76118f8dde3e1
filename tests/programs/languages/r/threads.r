library(parallel)
squares <- mclapply(0:3, function(number) number * number, mc.cores = 2)
cat(sum(unlist(squares)), "\n", sep = "")
